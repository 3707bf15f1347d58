"""manage.py quickstart, which `make run` runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections
from django.utils import timezone

from accounts.answers.rendering import publishable_key
from accounts.authentication.sessions import start_session
from accounts.deployments.hosts import find_deployment
from accounts.models import Deployment, User
from accounts.tokens.session_tokens import sign_session_token
from demo.data import FRONT_ENDS
from server.listening import base_url
from server.management.commands.serve import require_free

BANNER = """
{lines}

An error: nobody is signed in.
  curl -s {url}/me/workspace-memberships

Playground:     {url}/
Front-ends:{keys}
More sessions:  .venv/bin/python manage.py issue_session {email}
API docs:       {url}/docs/
Admin:          {url}/admin/  user admin, password {password}

Ctrl-C stops the server and the database.
"""

SHOWN = {
    "chioma@demo.example": "A plain answer: Chioma is a member of one workspace and may enter it.",
    "ada@demo.example": "A restricted one: Ada is a member of seven; IP and MFA rules restrict some.",
    "sam@staging.example": "Staging, without cookies: Sam's token travels in the query.",
}


class Command(BaseCommand):
    help = "Migrate, load the demo data once, print commands to try, and serve."

    def handle(self, *args: Any, **options: Any) -> None:
        require_free(settings.HOST, settings.PORT)
        call_command("migrate", verbosity=0)
        call_command("load_demo")
        self.stdout.write(banner())
        self.stdout.flush()
        connections.close_all()
        call_command("serve")


def banner() -> str:
    """Commands to try, which work however staff have changed the demo data."""
    enabled = User.objects.filter(disabled=False).select_related("deployment").order_by("pk")
    users = [user for email in SHOWN if (user := enabled.filter(email=email).first())] or list(enabled[:1])
    lines = [f"{SHOWN.get(user.email, f'An answer: that of {user}.')}\n  {_curl(user)}" for user in users]
    return BANNER.format(
        lines="\n\n".join(lines or ["Nobody is left who can sign in; `make clean` and `make run` begin anew."]),
        url=base_url(),
        email=next((user.email or user.username for user in users), "USER"),
        password=settings.DEMO_PASSWORD,
        keys="".join(f"\n  {line}" for line in _keys()) or "     no page of another origin may call",
    )


def _keys() -> Iterator[str]:
    """The publishable key for each front-end in development: of the same host, or browsers send it no cookies."""
    for origin in FRONT_ENDS:
        host = urlsplit(origin).hostname or ""
        deployment = find_deployment(host)
        if deployment and origin in deployment.allowed_origins:
            key = publishable_key(f"http://{host}:{settings.PORT}", deployment.mode)
            yield f"{origin} may call http://{host}:{settings.PORT}, publishable key {key}"


def _curl(user: User) -> str:
    expires_at = timezone.now() + settings.USER_SESSION_LIFETIME
    token = sign_session_token(start_session(user=user, expires_at=expires_at), expires_at=expires_at)
    deployment = user.deployment
    base = base_url()
    found = find_deployment(urlsplit(base).hostname or "")
    host = "" if found == deployment else f"-H 'Host: {deployment.host}' "
    if deployment.mode == Deployment.Mode.STAGING:
        return f"curl -s {host}'{base}/me/workspace-memberships?__dev_session__={token}'"
    return f"curl -s {host}-b '__session={token}' {base}/me/workspace-memberships"
