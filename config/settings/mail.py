"""How mail leaves the service, named by EMAIL_URL."""

from config.environment import between, email_address, mail_server, read, refuse
from config.settings.core import DEMO

_DEFAULT = "console:" if DEMO else "smtp://localhost:25?starttls=no"

_url = read("str", "EMAIL_URL", _DEFAULT)
try:
    _named = mail_server(_url)
except ValueError as error:
    refuse("EMAIL_URL", str(error))
    _named = mail_server(_DEFAULT)

EMAIL_BACKEND = f"django.core.mail.backends.{_named.backend}.EmailBackend"
EMAIL_HOST = _named.host
EMAIL_PORT = _named.port
EMAIL_HOST_USER = _named.user
EMAIL_HOST_PASSWORD = _named.password
EMAIL_USE_TLS = _named.starts_tls
EMAIL_USE_SSL = _named.is_tls
EMAIL_FILE_PATH = _named.folder
EMAIL_TIMEOUT = read("int", "EMAIL_TIMEOUT", 10, validate=between(1, 300))
MAIL_SENDER = read("str", "MAIL_SENDER", "", validate=email_address)
