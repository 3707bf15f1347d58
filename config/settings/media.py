"""Where pictures are kept, by a storage of Django's."""

from config.environment import read
from config.settings.core import DATA_DIR

MEDIA_ROOT = DATA_DIR / "media"
MEDIA_URL = "/media/"
STORAGES = {
    "default": {
        "BACKEND": read("str", "MEDIA_STORAGE", "django.core.files.storage.FileSystemStorage"),
        "OPTIONS": read("json", "MEDIA_STORAGE_OPTIONS", {}),
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
