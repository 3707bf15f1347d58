"""The settings of the test run: the project's own, from an environment without any ``.env``."""

import os
import secrets

from cryptography.fernet import Fernet

os.environ |= {
    "ENV_FILE": os.devnull,
    "DEMO": "true",
    "DEMO_PASSWORD": "correct horse battery staple",
    "SECRET_KEY": secrets.token_urlsafe(48),
    "KEY_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "LOG_LEVEL": "CRITICAL",
}

from config import local_postgres

local_postgres.provide()

from config.settings import *
from config.settings.database import DATABASES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one is slow on purpose
DATABASES["default"]["OPTIONS"]["options"] += (
    " -c rollcall.emptying=on"  # for Django, after tests with transactions
    " -c synchronous_commit=off"  # no test asks what outlives a crash of this server
)
WHITENOISE_AUTOREFRESH = True  # look a file up when it is asked for, not all files for each new client
