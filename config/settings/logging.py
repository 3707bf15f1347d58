"""Logs go to standard error, one line an event."""

from config.environment import one_of, read

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["stderr"],
        "level": read("str", "LOG_LEVEL", "INFO", validate=one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    },
    # Every answer below 500 is the client's business, and shows in /metrics.
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
