"""The database with data at scale, and users who are signed in: requests to send."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from benchmarks.load import Request, get
from config.environment import BASE_DIR
from tests.support.server import own_postgres

if TYPE_CHECKING:
    from accounts.models import User

PATH = "/me/workspace-memberships"
SESSIONS_LAST = timedelta(days=1)


@dataclass(frozen=True)
class Data:
    """A database in which ``load_scale`` has been; ``env`` is a production server's environment on it."""

    env: dict[str, str]
    deployment_id: int
    host: str

    @property
    def url(self) -> str:
        return self.env["DATABASE_URL"]

    def members(self, memberships: int | None) -> list[Member]:
        """The users with exactly so many memberships, in the order of their sessions' ids; None gives all users."""
        from accounts.models import User

        prefix = "" if memberships is None else f"exactly-{memberships}-"
        users = User.objects.filter(deployment_id=self.deployment_id, email__startswith=prefix)
        return signed_in(list(users.order_by("id")))


@dataclass(frozen=True)
class Member:
    """A user in a session of their own."""

    session_id: int
    token: str
    host: str

    def request(self, *, etag: str | None = None) -> Request:
        """Asks for the memberships; with the ``etag`` of the answer it must be a 304."""
        cookie = f"__session={self.token}"
        if etag is None:
            return get(PATH, host=self.host, Cookie=cookie)
        return get(PATH, host=self.host, status=304, Cookie=cookie, If_None_Match=etag)


@contextmanager
def at_scale(*, users: int, workers: int) -> Iterator[Data]:
    """``Data`` on a new PostgreSQL, or where DATABASE_URL says; there an earlier ``load_scale`` is taken as it is.

    Django is set up in this process, once in its life.
    """
    if given := os.environ.get("DATABASE_URL"):
        yield _prepare(given, users, workers)
        return
    with own_postgres() as postgres:
        yield _prepare(postgres.url, users, workers)


def _prepare(url: str, users: int, workers: int) -> Data:
    env = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "KEY_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATABASE_URL": url,
        "WORKERS": str(workers),
        "THREADS": os.environ.get("THREADS", "2"),
    }
    os.environ.update(env, DJANGO_SETTINGS_MODULE="config.settings")
    import django

    django.setup()
    from accounts.deployments import find_deployment
    from accounts.keys import create_signing_key
    from demo.scale import HOST

    _manage("migrate", "--verbosity", "0", env=env)
    if find_deployment(HOST) is None:
        _manage("load_scale", "--users", str(users), env=env)
    deployment = find_deployment(HOST)
    assert deployment is not None  # noqa: S101
    create_signing_key(deployment=deployment)  # one that is encrypted with the key of this run
    return Data(env, deployment.pk, deployment.host)


def _manage(*arguments: str, env: dict[str, str]) -> None:
    subprocess.run([sys.executable, BASE_DIR / "manage.py", *arguments], env=env, check=True)  # noqa: S603


def signed_in(users: list[User]) -> list[Member]:
    """The users of one deployment, each in a new session, in their order."""
    from django.db import connection
    from django.utils import timezone

    from accounts.models import Session, SignIn
    from accounts.tokens import sign_session_token

    expires_at = timezone.now() + SESSIONS_LAST
    deployment = users[0].deployment
    sessions = Session.objects.bulk_create(Session(deployment=deployment, expires_at=expires_at) for _ in users)
    SignIn.objects.bulk_create(
        SignIn(deployment=deployment, session=session, user=user, expires_at=expires_at)
        for session, user in zip(sessions, users, strict=True)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_session session SET active_sign_in_id = sign_in.id FROM accounts_signin sign_in "
            "WHERE sign_in.session_id = session.id AND session.id BETWEEN %s AND %s",
            [sessions[0].pk, sessions[-1].pk],
        )
        cursor.execute("VACUUM ANALYZE accounts_session, accounts_signin")
    return [
        Member(session.pk, sign_session_token(session, expires_at=expires_at), deployment.host) for session in sessions
    ]
