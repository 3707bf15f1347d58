"""One request makes one round trip to the database, however many memberships there are."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from memberships.listing import statement
from memberships.membership_rows import Memberships, parse_memberships
from memberships.models import OrganizationMembership, WorkspaceMembership, WorkspaceMembershipRole
from organizations.models import Organization, Segment, Workspace, WorkspaceSegment
from tests.support.api import ApiClient, error_code, warm_up
from tests.support.database import round_trips
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    SegmentFactory,
    UserFactory,
    join_organization,
    member_of_new_workspace,
)

COLD = 5
"""The deployment with its keys; and in one round trip the session with the memberships, and what they refer to."""
WARM = 1
"""The session with the memberships, and the changes in the invalidation log."""
REFUSED = 2
"""The fast path has queried before it leaves the refusal to the view."""


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


@pytest.mark.parametrize("number", [0, 1, 10, 60, 300])
def test_it_takes_one_query_for_any_number_of_memberships_once_warm(
    user: User, number: int, django_assert_num_queries: Any
) -> None:
    join_many(user, number)
    client = ApiClient(user.deployment, user)
    for queries in (COLD, WARM, WARM):
        with django_assert_num_queries(queries):
            response = client.get()
        assert len(response.json()["data"]) == number


@pytest.mark.parametrize("number", [1, 60])
def test_it_takes_one_round_trip_and_two_to_begin_with(user: User, number: int) -> None:
    join_many(user, number)
    client = ApiClient(user.deployment, user)
    for expected in (2, 1, 1):
        with round_trips(expected):
            assert len(client.get().json()["data"]) == number


def test_fragments_that_are_not_cached_take_one_round_trip_more(user: User) -> None:
    colleague = UserFactory.create(deployment=user.deployment)
    join_many(user, 10)
    member_of_new_workspace(colleague)
    theirs = ApiClient(user.deployment, colleague)
    warm_up(ApiClient(user.deployment, user))
    with round_trips(2):
        assert len(theirs.get().json()["data"]) == 1


def test_it_takes_no_more_within_one_organization(user: User, django_assert_num_queries: Any) -> None:
    membership = member_of_new_workspace(user)
    client = ApiClient(user.deployment, user)
    warm_up(client)
    with django_assert_num_queries(WARM):
        assert len(client.get(query=f"org_id={membership.organization_id}").json()["data"]) == 1


def test_an_unchanged_answer_takes_no_more(user: User, django_assert_num_queries: Any) -> None:
    client = ApiClient(user.deployment, user)
    warm_up(client)
    etag = client.get().headers["ETag"]
    with django_assert_num_queries(WARM):
        assert client.get(HTTP_IF_NONE_MATCH=etag).status_code == 304


def test_an_unchanged_answer_reads_nothing_when_somebody_else_is_changed(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    member_of_new_workspace(user)
    colleague = member_of_new_workspace(UserFactory.create(deployment=user.deployment))
    client = ApiClient(user.deployment, user)
    warm_up(client)
    etag = client.get().headers["ETag"]
    read: list[bytes | None] = []

    def parse(text: bytes | None) -> Memberships:
        read.append(text)
        return parse_memberships(text)

    monkeypatch.setattr(statement, "parse_memberships", parse)
    WorkspaceMembership.objects.filter(pk=colleague.pk).update(public_metadata={"seat": 1})
    with round_trips(WARM):
        assert client.get(HTTP_IF_NONE_MATCH=etag).status_code == 304
    assert read == []
    WorkspaceMembership.objects.filter(user=user).update(public_metadata={"seat": 2})
    assert client.get(HTTP_IF_NONE_MATCH=etag).status_code == 200
    assert len(read) == 1


def test_another_deployments_segments_and_roles_leave_the_cached_fragments(user: User) -> None:
    join_many(user, 10)
    other = DeploymentFactory.create()
    segment, role = SegmentFactory.create(deployment=other), OrganizationRoleFactory.create(deployment=other)
    client = ApiClient(user.deployment, user)
    warm_up(client)
    for row in (segment, role):
        row.name = "Renamed"
        row.save()
        with round_trips(WARM):
            assert len(client.get().json()["data"]) == 10


def test_it_takes_no_more_for_an_empty_or_unknown_organization(user: User, django_assert_num_queries: Any) -> None:
    organization = OrganizationFactory.create(deployment=user.deployment)
    join_organization(user, organization)
    member_of_new_workspace(user)
    client = ApiClient(user.deployment, user)
    warm_up(client)
    with django_assert_num_queries(WARM):
        assert client.get(query=f"org_id={organization.pk}").json()["data"] == []
    with django_assert_num_queries(REFUSED):
        assert error_code(client.get(query=f"org_id={2**62}")) == 40403


def test_it_takes_no_more_for_a_text_that_is_no_id(user: User, django_assert_num_queries: Any) -> None:
    member_of_new_workspace(user)
    client = ApiClient(user.deployment, user)
    warm_up(client)
    with django_assert_num_queries(WARM):
        assert error_code(client.get(query="org_id=x")) == 40001
