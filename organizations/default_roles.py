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
    OrganizationRole.objects.bulk_create(
        [
            OrganizationRole(deployment=deployment, name=ADMIN, permissions=[ORGANIZATION_ADMIN, ORGANIZATION_MEMBER]),
            OrganizationRole(deployment=deployment, name=MEMBER, permissions=[ORGANIZATION_MEMBER]),
        ],
        ignore_conflicts=True,
    )
    WorkspaceRole.objects.bulk_create(
        [
            WorkspaceRole(deployment=deployment, name=ADMIN, permissions=[WORKSPACE_ADMIN, WORKSPACE_MEMBER]),
            WorkspaceRole(deployment=deployment, name=MEMBER, permissions=[WORKSPACE_MEMBER]),
        ],
        ignore_conflicts=True,
    )


@receiver(post_save, sender=Deployment, dispatch_uid="organizations.default_roles")
def _on_save(sender: Any, instance: Deployment, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if created and not raw:
        create_default_roles(instance)
        _choose(instance)


def _choose(deployment: Deployment) -> None:
    """Give those default roles that ``deployment`` has not been created with."""
    chosen = {
        f"default_{level}_{whom}_role": roles.get(organization=None, name=name)
        for level, roles in (("org", deployment.organization_roles), ("workspace", deployment.workspace_roles))
        for whom, name in (("creator", ADMIN), ("member", MEMBER))
    }
    missing = {field: role for field, role in chosen.items() if getattr(deployment, field) is None}
    for field, role in missing.items():
        setattr(deployment, field, role)
    if missing:
        Deployment.objects.filter(pk=deployment.pk).update(**missing)
