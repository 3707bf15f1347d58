"""PostgreSQL, named by DATABASE_URL."""

from config.environment import between, read, refuse

_named = read("dj_db_url", "DATABASE_URL") or {}
if not _named.get("ENGINE", "").endswith(".postgresql"):
    refuse("DATABASE_URL", "it must name a PostgreSQL database")

# Prepared statements (database.prepared) keep one plan. Compiling costs more than any of them takes.
# django-pgtrigger looks up its setting for every row; if it is unset, each look-up is an exception that PostgreSQL
# rolls back, and that takes the longer the more rows a statement has written.
DATABASE_SESSION_SETTINGS = {
    "statement_timeout": str(read("int", "DATABASE_STATEMENT_TIMEOUT", 30_000, validate=between(100, 3_600_000))),
    "lock_timeout": str(read("int", "DATABASE_LOCK_TIMEOUT", 1_000, validate=between(100, 3_600_000))),
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "pgtrigger.ignore": "{}",
}
"""PostgreSQL's settings for each connection; ``database.session_settings`` makes sure of them."""

_options = _named.get("OPTIONS", {})

DATABASES = {
    "default": _named
    | {
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "application_name": "rollcall",
            "connect_timeout": read("int", "DATABASE_CONNECT_TIMEOUT", 3, validate=between(1, 60)),
            "tcp_user_timeout": 10_000,  # milliseconds, for a server that vanishes during a statement
        }
        | _options
        | {
            "options": " ".join(
                [
                    _options.get("options", ""),
                    *(f"-c {name}={value}" for name, value in DATABASE_SESSION_SETTINGS.items()),
                ]
            ).strip(),
        },
    }
}
