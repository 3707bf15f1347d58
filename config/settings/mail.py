"""How mail leaves the service, named by EMAIL_URL."""

from config.environment import between, email_address, mail_settings, read, refuse
from config.settings.core import DEMO

_url = read("str", "EMAIL_URL", "console:" if DEMO else "smtp://localhost")
try:
    globals().update(mail_settings(_url))
except ValueError as error:
    refuse("EMAIL_URL", str(error))

EMAIL_TIMEOUT = read("int", "EMAIL_TIMEOUT", 10, validate=between(1, 300))
MAIL_SENDER = read("str", "MAIL_SENDER", "", validate=email_address)
