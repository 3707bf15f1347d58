"""manage.py quickstart: what `make run` runs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections
from django.utils import timezone

from accounts.models import User
from accounts.sessions import start_session
from accounts.tokens import sign_session_token
from config.management.commands.serve import require_free

BANNER = """
Rollcall serves at {url}

A plain answer: Chioma is a member of one workspace and may enter it.
  curl -s -b '__session={chioma}' {url}/me/workspace-memberships

A restricted one: Ada is a member of seven; addresses and second factors keep her out of some.
  curl -s -b '__session={ada}' {url}/me/workspace-memberships

An error: nobody is signed in.
  curl -s {url}/me/workspace-memberships

Staging, without cookies: Sam's token travels in the query.
  curl -s -H 'Host: staging.localhost' '{url}/me/workspace-memberships?__dev_session__={sam}'

Playground:     {url}/
More sessions:  .venv/bin/python manage.py issue_session dmitri@demo.example
API docs:       {url}/docs/
Admin:          {url}/admin/  user admin, password {password}

Ctrl-C stops the server and the database.
"""


class Command(BaseCommand):
    help = "Migrate, load the demo data once, and serve, printing what to try."

    def handle(self, *args: Any, **options: Any) -> None:
        require_free(settings.HOST, settings.PORT)
        call_command("migrate", verbosity=0)
        call_command("load_demo")
        self.stdout.write(BANNER.format(url=base_url(), password=settings.DEMO_PASSWORD, **demo_tokens()))
        self.stdout.flush()
        connections.close_all()
        call_command("serve")


def base_url() -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.HOST, settings.HOST)  # noqa: S104
    return f"http://{host}:{settings.PORT}"


def demo_tokens() -> dict[str, str]:
    """A session token for each of the demo users that the banner shows, by username."""
    expires_at = timezone.now() + settings.USER_SESSION_LIFETIME
    users = User.objects.filter(email__in=["chioma@demo.example", "ada@demo.example", "sam@staging.example"])
    return {
        user.username: sign_session_token(start_session(user=user, expires_at=expires_at), expires_at=expires_at)
        for user in users.select_related("deployment")
    }
