"""Secrets, hosts, proxies and cookies."""

from config.environment import between, env, fernet_keys, networks, read, refuse, secret
from config.settings.core import DEMO

SECRET_KEY = read("str", "SECRET_KEY", validate=secret)
KEY_ENCRYPTION_KEYS = read("list", "KEY_ENCRYPTION_KEYS", validate=fernet_keys)

ALLOWED_HOSTS = ["*"]  # the deployments' hosts are data; accounts.deployments refuses the others
ADMIN_HOSTS = read("list", "ADMIN_HOSTS", [])
TRUSTED_PROXIES = read("list", "TRUSTED_PROXIES", [], validate=networks)
METRICS_NETWORKS = read("list", "METRICS_NETWORKS", ["127.0.0.0/8", "::1"], validate=networks)

HTTPS_ONLY = read("bool", "HTTPS_ONLY", not DEMO)
SECURE_SSL_REDIRECT = False  # accounts.deployments.https redirects, to known hosts alone
_hsts_seconds = read("int", "HSTS_SECONDS", 31_536_000, validate=between(0, 10**9))
SECURE_HSTS_SECONDS = _hsts_seconds if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS_ONLY
SECURE_HSTS_PRELOAD = read("bool", "HSTS_PRELOAD", False) and HTTPS_ONLY
SILENCED_SYSTEM_CHECKS = [
    "security.W008",  # of SECURE_SSL_REDIRECT
    "security.W021",  # of SECURE_HSTS_PRELOAD: a preloaded host stays in browsers for months
]
X_FRAME_OPTIONS = "DENY"

CORS_ALLOW_CREDENTIALS = True  # the allowed origins are data; accounts.deployments.origins answers for them
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "baggage",
    "content-type",
    "if-none-match",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "x-requested-with",
]
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST"]
CORS_EXPOSE_HEADERS = ["ETag", "Retry-After", "X-Development-Session"]
CORS_PREFLIGHT_MAX_AGE = 600
CORS_URLS_REGEX = r"^/(?!$|(admin|docs|static)(/|$)|(healthz|readyz|metrics)$)"  # addresses that do not exist, too

SESSION_ENGINE = "staff.access.sessions"
SESSION_COOKIE_NAME = "staff_session"
SESSION_COOKIE_PATH = "/admin/"
SESSION_COOKIE_SECURE = HTTPS_ONLY
SESSION_COOKIE_AGE = 12 * 3600
CSRF_FAILURE_VIEW = "api.exceptions.csrf_failure"
CSRF_COOKIE_NAME = "staff_csrf"
CSRF_COOKIE_PATH = "/admin/"
CSRF_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_HTTPONLY = True

STAFF_MFA_REQUIRED = read("bool", "STAFF_MFA_REQUIRED", not DEMO)
if env.str("STAFF_SECOND_FACTOR_REQUIRED", ""):
    refuse("STAFF_SECOND_FACTOR_REQUIRED", "it is called STAFF_MFA_REQUIRED now")

AUTHENTICATION_BACKENDS = ["staff.access.backend.StaffBackend"]
PASSWORD_HASHERS = ["accounts.credentials.hashers.Argon2idHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
