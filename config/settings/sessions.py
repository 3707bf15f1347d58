"""The lifetime of sessions, and the limits on failed sign-ins."""

from datetime import timedelta

from config.environment import between, read


def _seconds(name: str, default: int, high: int) -> timedelta:
    return timedelta(seconds=read("int", name, default, validate=between(1, high)))


_YEAR = 366 * 24 * 3600

USER_SESSION_LIFETIME = _seconds("USER_SESSION_LIFETIME", 7 * 24 * 3600, _YEAR)
USER_SESSION_MAX_LIFETIME = _seconds("USER_SESSION_MAX_LIFETIME", 30 * 24 * 3600, _YEAR)
USER_SESSION_RENEW_AFTER = _seconds("USER_SESSION_RENEW_AFTER", 15 * 60, _YEAR)
USER_SESSION_REUSE_GRACE = _seconds("USER_SESSION_REUSE_GRACE", 60, 3600)
ACCESS_TOKEN_LIFETIME = _seconds("ACCESS_TOKEN_LIFETIME", 30, 3600)

SIGN_IN_FAILURE_WINDOW = _seconds("SIGN_IN_FAILURE_WINDOW", 15 * 60, 24 * 3600)
SIGN_IN_FAILURES_PER_ACCOUNT = read("int", "SIGN_IN_FAILURES_PER_ACCOUNT", 10, validate=between(1, 10**6))
SIGN_IN_FAILURES_PER_ADDRESS = read("int", "SIGN_IN_FAILURES_PER_ADDRESS", 100, validate=between(1, 10**6))

CODES_PER_ACCOUNT = read("int", "CODES_PER_ACCOUNT", 5, validate=between(1, 10**6))
CODES_PER_ADDRESS = read("int", "CODES_PER_ADDRESS", 50, validate=between(1, 10**6))

CHANGES_PER_ACCOUNT = read("int", "CHANGES_PER_ACCOUNT", 300, validate=between(1, 10**6))
CHANGES_PER_ADDRESS = read("int", "CHANGES_PER_ADDRESS", 3000, validate=between(1, 10**6))
