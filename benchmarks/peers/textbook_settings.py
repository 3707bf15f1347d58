"""The project's settings, with the peer's URLs and no more middleware than an API needs."""

from config.settings import *
from config.settings import DATABASES

ROOT_URLCONF = "benchmarks.peers.textbook"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = False
