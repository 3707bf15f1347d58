"""manage.py issue_session USER [--host HOST] [--expires-in SECONDS]"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.authentication.sessions import start_session
from accounts.management.users import the_user
from accounts.tokens.session_tokens import sign_session_token

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
        if user.disabled:
            raise CommandError(f"The user {user} is disabled.")
        expires_at = timezone.now() + timedelta(seconds=options["expires_in"])
        return sign_session_token(start_session(user=user, expires_at=expires_at), expires_at=expires_at)
