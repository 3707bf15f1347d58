"""The application itself: apps, middleware, URLs, templates, static files and the server."""

import os

from config.environment import BASE_DIR as BASE_DIR
from config.environment import between, read

DATA_DIR = read("path", "DATA_DIR", BASE_DIR / ".data")
DEMO = read("bool", "DEMO", False)
DEMO_PASSWORD = read("str", "DEMO_PASSWORD") if DEMO else ""

HOST = read("str", "HOST", "127.0.0.1")
PORT = read("int", "PORT", 8000, validate=between(1, 65535))
WORKERS = read("int", "WORKERS", os.cpu_count() or 1, validate=between(1, 256))
THREADS = read("int", "THREADS", 2, validate=between(1, 256))

INSTALLED_APPS = [
    "api",
    "database",
    "audit",
    "accounts",
    "organizations",
    "memberships",
    "demo",
    "server",
    "staff",
    "corsheaders",
    "database.apps.TriggersConfig",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "staff.apps.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_otp",
]

MIDDLEWARE = [
    "server.metrics.MetricsMiddleware",
    "api.client_address.ClientAddressMiddleware",
    "audit.actors.ActorMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "accounts.deployments.https.HttpsOnlyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "api.bodies.BodyLimitMiddleware",
    "staff.access.middleware.StaffSessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "staff.access.middleware.StaffAuthenticationMiddleware",
    "staff.access.middleware.StaffMfaMiddleware",
    "staff.access.middleware.StaffMessageMiddleware",
]

DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
STAFF_UPLOADS = {"/admin/memberships/workspacemembership/import/": 51 * 2**20}
"""Addresses where signed-in staff may send more than DATA_UPLOAD_MAX_MEMORY_SIZE, and how many bytes (api.bodies)."""

FAST_PATH_MIDDLEWARE = [
    "api.client_address.ClientAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "corsheaders.middleware.CorsMiddleware",
]
"""The classes of MIDDLEWARE that have a part in the answers of the fast path (accounts.polled.fast_path)."""

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False  # everything is in English
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
FORMAT_MODULE_PATH = "config.formats"

STATIC_URL = "/static/"
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_USE_FINDERS = True  # serves the packages' own files: collectstatic is not needed
