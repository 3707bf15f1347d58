"""The roles of a fresh deployment."""

from __future__ import annotations

from accounts.models import Deployment
from organizations.default_roles import create_default_roles


def roles(deployment: Deployment) -> list[tuple[str, str, list[str]]]:
    return [
        (level, role.name, role.permissions)
        for level, held in (("organization", deployment.organization_roles), ("workspace", deployment.workspace_roles))
        for role in held.order_by("name")
    ]


def test_a_fresh_deployment_has_admin_and_member_at_both_levels(deployment: Deployment) -> None:
    assert roles(deployment) == [
        ("organization", "Admin", ["organization:admin", "organization:member"]),
        ("organization", "Member", ["organization:member"]),
        ("workspace", "Admin", ["workspace:admin", "workspace:member"]),
        ("workspace", "Member", ["workspace:member"]),
    ]


def test_staff_may_change_them_for_good(deployment: Deployment) -> None:
    deployment.workspace_roles.filter(name="Member").update(permissions=["workspace:member", "report:read"])
    deployment.save()
    create_default_roles(deployment)
    assert deployment.workspace_roles.get(name="Member").permissions == ["workspace:member", "report:read"]
    assert len(roles(deployment)) == 4
