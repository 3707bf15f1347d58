"""The roles that a fresh deployment has: Admin and Member, of organizations and of workspaces."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_save

from accounts.models import Deployment
from organizations.models import (
    ORGANIZATION_ADMIN,
    ORGANIZATION_MEMBER,
    WORKSPACE_ADMIN,
    WORKSPACE_MEMBER,
    OrganizationRole,
    WorkspaceRole,
)

ADMIN = "Admin"
MEMBER = "Member"


def create_default_roles(deployment: Deployment) -> None:
    """Give ``deployment`` those of the four roles that it lacks."""
    for name, permissions in ((ADMIN, [ORGANIZATION_ADMIN, ORGANIZATION_MEMBER]), (MEMBER, [ORGANIZATION_MEMBER])):
        OrganizationRole.objects.get_or_create(
            deployment=deployment, organization=None, name=name, defaults={"permissions": permissions}
        )
    for name, permissions in ((ADMIN, [WORKSPACE_ADMIN, WORKSPACE_MEMBER]), (MEMBER, [WORKSPACE_MEMBER])):
        WorkspaceRole.objects.get_or_create(
            deployment=deployment, organization=None, workspace=None, name=name, defaults={"permissions": permissions}
        )


def connect() -> None:
    post_save.connect(_on_save, sender=Deployment, dispatch_uid="organizations.default_roles")


def _on_save(sender: Any, instance: Deployment, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if created and not raw:
        create_default_roles(instance)
