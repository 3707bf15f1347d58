"""The database with data at scale, and users who are signed in: requests to send."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import jwt
from cryptography.fernet import Fernet

from benchmarks.load import Request, get
from config.environment import BASE_DIR
from tests.support.server import own_postgres

if TYPE_CHECKING:
    from accounts.models import User

SESSIONS_LAST = timedelta(days=1)
IN_TWO_ORGANIZATIONS = 5
"""Workspace memberships of the users who ask the other endpoints: about the average of all users."""


@dataclass(frozen=True)
class Data:
    """A database in which ``load_scale`` has been; ``env`` is a production server's environment on it."""

    env: dict[str, str]
    deployment_id: int
    host: str

    @property
    def url(self) -> str:
        return self.env["DATABASE_URL"]

    def members(self, memberships: int | None, *, limit: int | None = None) -> list[Member]:
        """The users with exactly so many memberships, in the order of their sessions' ids; None gives all users."""
        from accounts.models import User

        prefix = "" if memberships is None else f"exactly-{memberships}-"
        users = User.objects.filter(deployment_id=self.deployment_id, email__startswith=prefix)
        return signed_in(list(users.order_by("id")[:limit]))

    def members_of_two_organizations(self) -> list[Member]:
        """Twenty users in exactly two organizations and ``IN_TWO_ORGANIZATIONS`` workspaces."""
        from django.db.models import Count

        from accounts.models import User

        users = User.objects.filter(deployment_id=self.deployment_id).annotate(
            organizations=Count("organization_memberships", distinct=True),
            workspaces=Count("workspace_memberships", distinct=True),
        )
        return signed_in(list(users.filter(organizations=2, workspaces=IN_TWO_ORGANIZATIONS).order_by("id")[:20]))


@dataclass(frozen=True)
class Member:
    """A user in a session of their own, acting in one of their organizations and workspaces."""

    session_id: int
    user_id: int
    token: str
    host: str

    def get(self, path: str, *, etag: str = "") -> Request:
        """Asks for ``path``; with the ``etag`` of the answer it must be a 304."""
        cookie = f"__session={self.token}"
        if not etag:
            return get(path, host=self.host, Cookie=cookie)
        return get(path, host=self.host, status=304, Cookie=cookie, If_None_Match=etag)


@contextmanager
def at_scale(*, users: int, workers: int) -> Iterator[Data]:
    """``Data`` on a new PostgreSQL, or where DATABASE_URL says; there an earlier ``load_scale`` is taken as it is.

    Django is set up in this process, once in its life.
    """
    if given := os.environ.get("DATABASE_URL"):
        yield _prepare(given, users, workers)
        return
    with own_postgres(on_disk=True) as postgres:
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
    from accounts.deployments.hosts import find_deployment
    from accounts.tokens.keys import create_signing_key
    from demo.scale import HOST

    _manage("migrate", "--verbosity", "0", env=env)
    if find_deployment(HOST) is None:
        _manage("load_scale", "--users", str(users), env=env)
    deployment = find_deployment(HOST)
    assert deployment is not None
    create_signing_key(deployment=deployment)  # one that is encrypted with the key of this run
    return Data(env, deployment.pk, deployment.host)


def _manage(*arguments: str, env: dict[str, str]) -> None:
    subprocess.run([sys.executable, BASE_DIR / "manage.py", *arguments], env=env, check=True)


def signed_in(users: list[User]) -> list[Member]:
    """The users of one deployment, each in a new session, in their order."""
    from django.db import connection
    from django.utils import timezone

    from accounts.models import Session, SignIn
    from demo import scale

    expires_at = timezone.now() + SESSIONS_LAST
    deployment = users[0].deployment
    sessions = Session.objects.bulk_create(Session(deployment=deployment, expires_at=expires_at) for _ in users)
    SignIn.objects.bulk_create(
        SignIn(deployment=deployment, session=session, user=user, expires_at=expires_at)
        for session, user in zip(sessions, users, strict=True)
    )
    with connection.cursor() as cursor:
        for statement in _SIGNED_IN:
            cursor.execute(statement, [sessions[0].pk, sessions[-1].pk])
    scale.vacuum("accounts_session", "accounts_signin", "memberships_activemembership")
    members = [Member(session.pk, user.pk, "", deployment.host) for session, user in zip(sessions, users, strict=True)]
    return with_new_tokens(members)


_SIGNED_IN = [
    """
    UPDATE accounts_session session SET active_sign_in_id = sign_in.id FROM accounts_signin sign_in
    WHERE sign_in.session_id = session.id AND session.id BETWEEN %s AND %s
    """,
    """
    INSERT INTO memberships_activemembership
        (sign_in_id, user_id, organization_membership_id, workspace_membership_id)
    SELECT DISTINCT ON (sign_in.id) sign_in.id, sign_in.user_id, organization.id, workspace.id
    FROM accounts_signin sign_in
    JOIN memberships_workspacemembership workspace ON workspace.user_id = sign_in.user_id
    JOIN memberships_organizationmembership organization
        ON organization.user_id = sign_in.user_id AND organization.organization_id = workspace.organization_id
    WHERE sign_in.session_id BETWEEN %s AND %s
    ORDER BY sign_in.id, workspace.id
    """,
]


def with_new_tokens(members: list[Member]) -> list[Member]:
    """``members``, each with a token that nobody has seen: of the same claims, but ES256 signs with a random number.

    Signed here and not by ``accounts.tokens.session_tokens``, which would look the key up for each.
    """
    from accounts.models import Session
    from accounts.tokens.keys import private_key_of, signing_key

    deployment = Session.objects.select_related("deployment").get(pk=members[0].session_id).deployment
    key = signing_key(deployment)
    now = int(time.time())
    times = {"iat": now, "nbf": now, "exp": now + int(SESSIONS_LAST.total_seconds())}
    return [
        replace(
            member,
            token=jwt.encode(
                {"iss": deployment.issuer, "sess": str(member.session_id), **times},
                private_key_of(key),
                algorithm="ES256",
                headers={"kid": key.kid},
            ),
        )
        for member in members
    ]
