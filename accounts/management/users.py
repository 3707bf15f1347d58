"""Helpers of the commands that concern one user."""

from __future__ import annotations

from django.core.management.base import CommandError

from accounts.credentials.users import users_called
from accounts.management.deployments import the_deployment
from accounts.models import User
from accounts.values.names import normal_name


def the_user(name: str, host: str | None) -> User:
    """The one user called ``name`` (at ``host``), or with that id; raises ``CommandError`` for none, or several."""
    deployment = None if host is None else the_deployment(host)
    users = list(users_called(name, deployment=deployment)[:10])
    if not users:
        raise CommandError(f"No user is called {name!r}.")
    users = [user for user in users if str(user.pk) == normal_name(name)] or users
    if len(users) > 1:
        found = ", ".join(f"{user.pk} ({user} at {user.deployment.host})" for user in users)
        raise CommandError(f"Several users are called {name!r}; give --host or an id: {found}.")
    return users[0]
