"""manage.py issue_session USER [--host HOST] [--expires-in SECONDS]"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.management.deployments import the_deployment
from accounts.models import User
from accounts.names import normal_name
from accounts.sessions import start_session
from accounts.tokens import sign_session_token
from accounts.users import users_called

MAX_SECONDS = 10 * 365 * 24 * 3600


class Command(BaseCommand):
    help = "Sign a user in and print the session token, a JWT, alone on standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER", help="id, e-mail address or username")
        parser.add_argument("--host", help="the deployment's host, where a user of this name exists in several")
        parser.add_argument(
            "--expires-in",
            type=int,
            default=int(settings.USER_SESSION_LIFETIME.total_seconds()),
            metavar="SECONDS",
            help="how long the session and its token last (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        if not 1 <= options["expires_in"] <= MAX_SECONDS:
            raise CommandError(f"--expires-in takes 1 to {MAX_SECONDS} seconds.")
        user = the_user(options["user"], options["host"])
        expires_at = timezone.now() + timedelta(seconds=options["expires_in"])
        return sign_session_token(start_session(user=user, expires_at=expires_at), expires_at=expires_at)


def the_user(name: str, host: str | None) -> User:
    """The one enabled user called ``name`` (at ``host``); raises ``CommandError`` if there is none, or several."""
    deployment = None if host is None else the_deployment(host)
    users = list(users_called(name, deployment=deployment)[:10])
    if not users:
        raise CommandError(f"No user is called {name!r}.")
    users = [user for user in users if str(user.pk) == normal_name(name)] or users
    if len(users) > 1:
        found = ", ".join(f"{user.pk} ({user} at {user.deployment.host})" for user in users)
        raise CommandError(f"Several users are called {name!r}; give --host or an id: {found}.")
    if users[0].disabled:
        raise CommandError(f"The user {users[0]} is disabled.")
    return users[0]
