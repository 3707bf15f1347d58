"""Helpers of the commands that concern one deployment."""

from __future__ import annotations

from django.core.management.base import CommandError

from accounts.deployments.hosts import find_deployment
from accounts.models import Deployment


def the_deployment(host: str) -> Deployment:
    """The deployment that answers at ``host``; raises ``CommandError`` if there is none."""
    deployment = find_deployment(host)
    if deployment is None:
        raise CommandError(f"No deployment answers at the host {host!r}.")
    return deployment
