"""The number of database queries of one request: small, and the same however many memberships there are."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from memberships.models import OrganizationMembership, WorkspaceMembership, WorkspaceMembershipRole
from organizations.models import Organization, Segment, Workspace, WorkspaceSegment
from tests.api import ApiClient, error_code
from tests.factories import OrganizationFactory, join_organization, member_of_new_workspace

QUERIES = 4
"""The deployment, the signing key, the session with its user, and the memberships."""


def join_many(user: User, number: int, *, per_organization: int = 10) -> None:
    """``number`` memberships, in organizations of a few workspaces each, every one with a role and a segment."""
    deployment = user.deployment
    role = deployment.workspace_roles.get(name="Member")
    segment = Segment.objects.create(deployment=deployment, name="All", type=Segment.Type.WORKSPACE)
    organizations = Organization.objects.bulk_create(
        Organization(deployment=deployment, name=f"Organization {index}")
        for index in range(-(-number // per_organization))
    )
    OrganizationMembership.objects.bulk_create(
        OrganizationMembership(deployment=deployment, organization=organization, user=user)
        for organization in organizations
    )
    workspaces = Workspace.objects.bulk_create(
        Workspace(organization=organizations[index // per_organization], name=f"Workspace {index}")
        for index in range(number)
    )
    WorkspaceSegment.objects.bulk_create(
        WorkspaceSegment(workspace=workspace, segment=segment) for workspace in workspaces
    )
    memberships = WorkspaceMembership.objects.bulk_create(
        WorkspaceMembership(organization=workspace.organization, workspace=workspace, user=user)
        for workspace in workspaces
    )
    WorkspaceMembershipRole.objects.bulk_create(
        WorkspaceMembershipRole(membership=membership, role=role) for membership in memberships
    )


@pytest.mark.parametrize("number", [0, 1, 10, 60, 1000])
def test_it_takes_the_same_few_queries_for_any_number_of_memberships(
    user: User, number: int, django_assert_num_queries: Any
) -> None:
    join_many(user, number)
    client = ApiClient(user.deployment, user)
    with django_assert_num_queries(QUERIES):
        response = client.get()
    assert len(response.json()["data"]) == number


def test_it_takes_no_more_within_one_organization(user: User, django_assert_num_queries: Any) -> None:
    membership = member_of_new_workspace(user)
    client = ApiClient(user.deployment, user)
    with django_assert_num_queries(QUERIES):
        assert len(client.get(query=f"org_id={membership.organization_id}").json()["data"]) == 1


def test_an_unchanged_answer_takes_no_more(user: User, django_assert_num_queries: Any) -> None:
    client = ApiClient(user.deployment, user)
    etag = client.get().headers["ETag"]
    with django_assert_num_queries(QUERIES):
        assert client.get(HTTP_IF_NONE_MATCH=etag).status_code == 304


def test_it_takes_one_more_to_tell_an_empty_organization_from_none(user: User, django_assert_num_queries: Any) -> None:
    organization = OrganizationFactory.create(deployment=user.deployment)
    join_organization(user, organization)
    client = ApiClient(user.deployment, user)
    with django_assert_num_queries(QUERIES + 1):
        assert client.get(query=f"org_id={organization.pk}").json()["data"] == []
    with django_assert_num_queries(QUERIES + 1):
        assert error_code(client.get(query=f"org_id={2**62}")) == 40403


def test_it_takes_no_more_than_the_sign_in_for_what_is_no_id(user: User, django_assert_num_queries: Any) -> None:
    client = ApiClient(user.deployment, user)
    with django_assert_num_queries(QUERIES - 1):
        assert error_code(client.get(query="org_id=x")) == 40001
