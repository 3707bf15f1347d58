"""The audience of ``private_metadata`` (decision 9)."""

from __future__ import annotations

from typing import Any

from accounts.models import Deployment, User
from memberships.models import OrganizationMembershipRole, WorkspaceMembershipRole
from tests.support.api import memberships
from tests.support.cases import each
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    join,
    join_organization,
)

OF_ORGANIZATION = {"account_manager": "Ingrid"}
OF_WORKSPACE = {"floor": 3}
HIDDEN: dict[str, Any] = {}


def seen(user: User, *, workspace_permission: str = "", organization_permission: str = "") -> tuple[Any, Any]:
    """The metadata that ``user`` sees of an organization and a workspace in which they hold these permissions.

    They administer another organization and a workspace of it besides, which must not matter.
    """
    deployment = user.deployment
    organization = OrganizationFactory.create(deployment=deployment, private_metadata=OF_ORGANIZATION)
    workspace = WorkspaceFactory.create(organization=organization, private_metadata=OF_WORKSPACE)
    sibling = WorkspaceFactory.create(organization=organization)
    elsewhere = WorkspaceFactory.create(organization=OrganizationFactory.create(deployment=deployment))
    for place, permission in (
        (workspace, workspace_permission),
        (sibling, "workspace:admin"),
        (elsewhere, "workspace:admin"),
    ):
        role = WorkspaceRoleFactory.create(deployment=deployment, permissions=[permission])
        WorkspaceMembershipRole.objects.create(membership=join(user, place), role=role)
    for owner, permission in (
        (organization, organization_permission),
        (elsewhere.organization, "organization:admin"),
    ):
        OrganizationMembershipRole.objects.create(
            membership=join_organization(user, owner),
            role=OrganizationRoleFactory.create(deployment=deployment, permissions=[permission]),
        )
    (item,) = [item for item in memberships(user) if item["workspace"]["id"] == str(workspace.pk)]
    return item["organization"]["private_metadata"], item["workspace"]["private_metadata"]


@each(
    ("audience", "permissions", "expected"),
    [
        (None, {}, (OF_ORGANIZATION, OF_WORKSPACE)),
        ("members", {}, (OF_ORGANIZATION, OF_WORKSPACE)),
        ("members", {"workspace_permission": "workspace:admin"}, (OF_ORGANIZATION, OF_WORKSPACE)),
        ("members", {"organization_permission": "organization:admin"}, (OF_ORGANIZATION, OF_WORKSPACE)),
        ("admins", {}, (HIDDEN, HIDDEN)),
        ("admins", {"workspace_permission": "workspace:member"}, (HIDDEN, HIDDEN)),
        ("admins", {"organization_permission": "organization:member"}, (HIDDEN, HIDDEN)),
        ("admins", {"workspace_permission": "organization:admin"}, (HIDDEN, HIDDEN)),
        ("admins", {"organization_permission": "workspace:admin"}, (HIDDEN, HIDDEN)),
        ("admins", {"workspace_permission": "workspace:admin"}, (HIDDEN, OF_WORKSPACE)),
        ("admins", {"organization_permission": "organization:admin"}, (OF_ORGANIZATION, OF_WORKSPACE)),
        ("nobody", {}, (HIDDEN, HIDDEN)),
        (
            "nobody",
            {"workspace_permission": "workspace:admin", "organization_permission": "organization:admin"},
            (HIDDEN, HIDDEN),
        ),
    ],
)
def test_only_the_audience_of_the_deployment_sees_private_metadata(
    user: User, audience: str | None, permissions: dict[str, str], expected: tuple[Any, Any]
) -> None:
    if audience is not None:
        Deployment.objects.filter(pk=user.deployment.pk).update(private_metadata_audience=audience)
    assert seen(user, **permissions) == expected


@each("audience", ["members", "admins", "nobody"])
def test_public_metadata_is_seen_in_any_case(user: User, audience: str) -> None:
    Deployment.objects.filter(pk=user.deployment.pk).update(private_metadata_audience=audience)
    organization = OrganizationFactory.create(deployment=user.deployment, public_metadata={"o": 1})
    join(user, WorkspaceFactory.create(organization=organization, public_metadata={"w": 2}))
    (item,) = memberships(user)
    assert (item["organization"]["public_metadata"], item["workspace"]["public_metadata"]) == ({"o": 1}, {"w": 2})


def test_one_deployments_choice_leaves_the_others_alone(user: User) -> None:
    discreet = UserFactory.create(deployment=DeploymentFactory.create(private_metadata_audience="nobody"))
    assert seen(user) == (OF_ORGANIZATION, OF_WORKSPACE)
    assert seen(discreet) == (HIDDEN, HIDDEN)
