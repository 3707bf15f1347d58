"""Switching to an organization or a workspace: by members only, and within their restrictions."""

from __future__ import annotations

import json

import pytest

from accounts.models import User
from memberships.models import WorkspaceMembership
from tests.support.active import (
    NONE,
    NOT_FOUND,
    ORGANIZATION,
    WORKSPACE,
    active,
    both_of,
    restrict,
    to_organization,
    to_workspace,
)
from tests.support.api import ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import (
    OrganizationFactory,
    WorkspaceFactory,
    confirmed_authenticator,
    join_organization,
    member_of_new_workspace,
)
from tests.support.sign_in import session_data

REPEATED_PARAMETER = 40002
INVALID_PARAMETER = 40003
NO_ACTIVE_SIGN_IN = 40105
ENTRY_RESTRICTED = 40303
NOT_A_MEMBER = 40403


def test_switching_to_a_workspace_switches_to_its_organization(
    client: ApiClient, membership: WorkspaceMembership
) -> None:
    data = data_of(to_workspace(client, membership.workspace_id))
    assert active(data) == both_of(membership)
    assert data["signins"] == [data["active_signin"]]
    assert active(session_data(client)) == both_of(membership)


def test_switching_to_an_organization_makes_no_workspace_active(
    client: ApiClient, membership: WorkspaceMembership
) -> None:
    expected = both_of(membership)[0], ""
    assert active(data_of(to_organization(client, membership.organization_id))) == expected
    assert active(session_data(client)) == expected


def test_switching_to_another_organization_leaves_the_workspace(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    other = join_organization(user, OrganizationFactory.create(deployment=user.deployment))
    to_workspace(client, membership.workspace_id)
    assert active(data_of(to_organization(client, other.organization_id))) == (str(other.pk), "")


def test_switching_to_the_same_organization_keeps_the_workspace(
    client: ApiClient, membership: WorkspaceMembership
) -> None:
    to_workspace(client, membership.workspace_id)
    assert active(data_of(to_organization(client, membership.organization_id))) == both_of(membership)


def test_switching_to_a_workspace_of_another_organization_leaves_the_first(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    other = member_of_new_workspace(user)
    to_workspace(client, membership.workspace_id)
    assert active(data_of(to_workspace(client, other.workspace_id))) == both_of(other)


@pytest.mark.parametrize("query", ["organization_id=", ""])
def test_no_organization_is_no_workspace_either(client: ApiClient, membership: WorkspaceMembership, query: str) -> None:
    to_workspace(client, membership.workspace_id)
    assert active(data_of(client.post(ORGANIZATION, None, query))) == NONE
    assert active(session_data(client)) == NONE


@pytest.mark.parametrize("query", ["workspace_id=", ""])
def test_no_workspace_is_still_the_organization(client: ApiClient, membership: WorkspaceMembership, query: str) -> None:
    to_workspace(client, membership.workspace_id)
    assert active(data_of(client.post(WORKSPACE, None, query))) == (both_of(membership)[0], "")


@pytest.mark.parametrize("path", [ORGANIZATION, WORKSPACE])
def test_nothing_can_be_cleared_that_is_not_set(client: ApiClient, path: str) -> None:
    assert active(data_of(client.post(path))) == NONE


def test_an_error_reveals_to_no_non_member_that_a_place_exists(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    to_workspace(client, membership.workspace_id)
    sibling = WorkspaceFactory.create(organization=OrganizationFactory.create(deployment=user.deployment))
    foreign = WorkspaceFactory.create(organization=OrganizationFactory.create())
    # A member of the organization is no member of its other workspaces.
    beside = WorkspaceFactory.create(organization=membership.workspace.organization)
    workspaces = [sibling.pk, foreign.pk, beside.pk, 0, 2**63 - 1]
    organizations = [sibling.organization_id, foreign.organization_id, 0, 2**63 - 1]
    (workspace_answer,) = {to_workspace(client, id_).content for id_ in workspaces}
    (organization_answer,) = {to_organization(client, id_).content for id_ in organizations}
    assert json.loads(workspace_answer)["errors"][0]["code"] == NOT_FOUND
    assert json.loads(organization_answer)["errors"][0]["code"] == NOT_A_MEMBER
    assert active(session_data(client)) == both_of(membership)


@each(("path", "name"), [(ORGANIZATION, "organization_id"), (WORKSPACE, "workspace_id")])
@each(
    ("query", "code"),
    [
        ("{}=x", INVALID_PARAMETER),
        ("{}=-1", INVALID_PARAMETER),
        ("{}=%00", INVALID_PARAMETER),
        ("{}=9223372036854775808", INVALID_PARAMETER),
        ("{0}=1&{0}=1", REPEATED_PARAMETER),
    ],
)
def test_an_id_is_one_number(client: ApiClient, path: str, name: str, query: str, code: int) -> None:
    assert error_code(client.post(path, None, query.format(name))) == code


@pytest.mark.parametrize("path", [ORGANIZATION, WORKSPACE])
def test_a_visitor_cannot_switch(user: User, path: str) -> None:
    visitor = ApiClient(user.deployment)
    visitor.get("/session")
    assert error_code(visitor.post(path)) == NO_ACTIVE_SIGN_IN


@each("kind", ["ip", "mfa", "both"])
@each("level", ["organization", "workspace"])
def test_a_restricted_workspace_cannot_be_entered(
    client: ApiClient, user: User, membership: WorkspaceMembership, level: str, kind: str
) -> None:
    before = member_of_new_workspace(user)
    to_workspace(client, before.workspace_id)
    restrict(membership.workspace if level == "workspace" else membership.workspace.organization, kind)
    listed = data_of(client.get())[0]["eligibility_restriction"]
    response = to_workspace(client, membership.workspace_id)
    assert error_code(response) == ENTRY_RESTRICTED
    assert response.json()["errors"][0]["message"] == listed["message"] != ""
    assert active(session_data(client)) == both_of(before)


@each("kind", ["ip", "mfa", "both"])
def test_a_restricted_organization_cannot_be_entered(
    client: ApiClient, membership: WorkspaceMembership, kind: str
) -> None:
    restrict(membership.workspace.organization, kind)
    (listed,) = data_of(client.get("/me/organization-memberships"))
    response = to_organization(client, membership.organization_id)
    assert error_code(response) == ENTRY_RESTRICTED
    assert response.json()["errors"][0]["message"] == listed["eligibility_restriction"]["message"] != ""
    assert active(session_data(client)) == NONE


def test_a_workspaces_own_restriction_leaves_the_organization_open(
    client: ApiClient, membership: WorkspaceMembership
) -> None:
    restrict(membership.workspace, "both")
    assert to_organization(client, membership.organization_id).status_code == 200


def test_the_right_network_and_mfa_open_it(client: ApiClient, user: User, membership: WorkspaceMembership) -> None:
    restrict(membership.workspace, "both")
    confirmed_authenticator(user)
    assert error_code(to_workspace(client, membership.workspace_id)) == ENTRY_RESTRICTED
    response = to_workspace(client, membership.workspace_id, REMOTE_ADDR="198.51.100.7")
    assert active(data_of(response)) == both_of(membership)


def test_a_restriction_does_not_keep_anybody_from_leaving(client: ApiClient, membership: WorkspaceMembership) -> None:
    to_workspace(client, membership.workspace_id)
    restrict(membership.workspace.organization, "both")
    assert active(data_of(client.post(ORGANIZATION))) == NONE
