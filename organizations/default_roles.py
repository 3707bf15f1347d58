"""The roles that a fresh deployment has: Admin and Member, of organizations and of workspaces.

Creators get Admin and members Member, until staff choose others (``Deployment.default_*_role``).
"""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

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
    OrganizationRole.objects.bulk_create(_organization_roles(deployment), ignore_conflicts=True)
    WorkspaceRole.objects.bulk_create(_workspace_roles(deployment), ignore_conflicts=True)


def _organization_roles(deployment: Deployment) -> list[OrganizationRole]:
    return [
        OrganizationRole(deployment=deployment, name=ADMIN, permissions=[ORGANIZATION_ADMIN, ORGANIZATION_MEMBER]),
        OrganizationRole(deployment=deployment, name=MEMBER, permissions=[ORGANIZATION_MEMBER]),
    ]


def _workspace_roles(deployment: Deployment) -> list[WorkspaceRole]:
    return [
        WorkspaceRole(deployment=deployment, name=ADMIN, permissions=[WORKSPACE_ADMIN, WORKSPACE_MEMBER]),
        WorkspaceRole(deployment=deployment, name=MEMBER, permissions=[WORKSPACE_MEMBER]),
    ]


@receiver(post_save, sender=Deployment, dispatch_uid="organizations.default_roles")
def _on_save(sender: Any, instance: Deployment, created: bool, raw: bool = False, **kwargs: Any) -> None:
    """Give a new deployment, which has no roles yet, its four and the default roles that it was created without."""
    if not created or raw:
        return
    org_creator, org_member = OrganizationRole.objects.bulk_create(_organization_roles(instance))
    workspace_creator, workspace_member = WorkspaceRole.objects.bulk_create(_workspace_roles(instance))
    chosen = {
        "default_org_creator_role": org_creator,
        "default_org_member_role": org_member,
        "default_workspace_creator_role": workspace_creator,
        "default_workspace_member_role": workspace_member,
    }
    missing = {field: role for field, role in chosen.items() if getattr(instance, field) is None}
    for field, role in missing.items():
        setattr(instance, field, role)
    if missing:
        Deployment.objects.filter(pk=instance.pk).update(**missing)
