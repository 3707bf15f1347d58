"""GET /me/workspace-memberships?org_id=: which values are ids, and what each of them gives (decision 4)."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from memberships.models import WorkspaceMembership
from organizations.models import Organization
from tests.support.api import ApiClient, error_code, memberships
from tests.support.cases import each
from tests.support.factories import (
    OrganizationFactory,
    UserFactory,
    WorkspaceFactory,
    join,
    join_organization,
    member_of_new_workspace,
)

NOT_A_MEMBER = 40403
NONEXISTENT = 2**62


@pytest.fixture
def own(user: User) -> WorkspaceMembership:
    """The first of the user's three memberships, two of which are in the same organization."""
    membership = member_of_new_workspace(user)
    join(user, WorkspaceFactory.create(organization=membership.organization))
    member_of_new_workspace(user)
    return membership


@each("query", ["", "org_id=", "org_id", "orgid=1", "ORG_ID=1", "other=x"])
def test_without_an_id_all_memberships_are_given(user: User, own: WorkspaceMembership, query: str) -> None:
    assert len(memberships(user, query)) == 3


def test_only_the_memberships_in_the_organization_are_given(user: User, own: WorkspaceMembership) -> None:
    items = memberships(user, f"org_id={own.organization_id}")
    assert [item["organization_id"] for item in items] == [str(own.organization_id)] * 2
    assert items == memberships(user)[:2]


@each("template", ["0{}", "{:0>19}", "{:0>20}", "{:0>5000}"])
def test_leading_zeros_are_digits_too(user: User, own: WorkspaceMembership, template: str) -> None:
    assert len(memberships(user, "org_id=" + template.format(own.organization_id))) == 2


def test_the_largest_id_is_an_id(user: User) -> None:
    organization = OrganizationFactory.create(id=2**63 - 1, deployment=user.deployment)
    join(user, WorkspaceFactory.create(organization=organization))
    assert len(memberships(user, f"org_id={2**63 - 1}")) == 1


def test_a_member_of_the_organization_without_a_workspace_gets_an_empty_list(
    user: User, own: WorkspaceMembership
) -> None:
    organization = OrganizationFactory.create(deployment=user.deployment)
    join(UserFactory.create(deployment=user.deployment), WorkspaceFactory.create(organization=organization))
    join_organization(user, organization)
    assert memberships(user, f"org_id={organization.pk}") == []


def foreign(user: User) -> Organization:
    """One of the deployment, with a member and a workspace, in which the user is not."""
    return member_of_new_workspace(UserFactory.create(deployment=user.deployment)).organization


def of_another_deployment(user: User) -> Organization:
    """One in which a user of the same e-mail address is a member."""
    return member_of_new_workspace(UserFactory.create(email=user.email)).organization


@each("query", ["org_id=0", "org_id=00", f"org_id={2**63 - 1}", f"org_id={NONEXISTENT}"])
def test_a_nonexistent_organization_is_not_found(user: User, own: WorkspaceMembership, query: str) -> None:
    assert error_code(ApiClient(user.deployment, user).get(query=query)) == NOT_A_MEMBER


@each("organization_of", [foreign, of_another_deployment])
@each("method", ["GET", "HEAD"])
def test_an_organization_of_others_looks_like_a_nonexistent_one(
    user: User, own: WorkspaceMembership, organization_of: Any, method: str
) -> None:
    organization = organization_of(user)
    client = ApiClient(user.deployment, user)
    nonexistent = client.request(method, query=f"org_id={NONEXISTENT}")
    existing = client.request(method, query=f"org_id={organization.pk}")
    assert existing.status_code == nonexistent.status_code == 404
    assert existing.content == nonexistent.content
    assert dict(existing.headers) == dict(nonexistent.headers)


@each(
    "value",
    [
        "-1",
        str(2**63),
        str(2**64 + 1),
        "9" * 5000,
        "abc",
        "1_0",
        "1%20",
        "%201",
        "1+",
        "+1",
        "%2B1",
        "1%0A",
        "1%09",
        "1.0",
        "1e3",
        "0x10",
        "%EF%BC%91%EF%BC%92",  # full-width
        "\xef\xbc\x91",  # full-width and not even percent-encoded, as WSGI hands it on
        "%D9%A1",  # Arabic-Indic
        "%C2%B2",  # superscript
        "%00",
        "1%00",
        "%ff",
        "1%ff",
        "1,2",
        "1;org_id=2",
        "null",
        "[]",
        "%27%20OR%201=1--",
    ],
)
def test_a_text_that_is_no_64_bit_decimal_number_is_refused(user: User, value: str) -> None:
    assert error_code(ApiClient(user.deployment, user).get(query=f"org_id={value}")) == 40001


@each("query", ["org_id={0}&org_id={0}", "org_id={0}&org_id=5", "org_id=&org_id={0}", "org_id&org_id"])
def test_a_repeated_id_is_refused(user: User, own: WorkspaceMembership, query: str) -> None:
    response = ApiClient(user.deployment, user).get(query=query.format(own.organization_id))
    assert error_code(response) == 40002
    assert "org_id" in response.json()["errors"][0]["message"]


@each("query", ["org_id=abc", "org_id=1&org_id=2", f"org_id={NONEXISTENT}"])
def test_a_visitor_is_asked_to_sign_in_for_any_id(user: User, query: str) -> None:
    assert error_code(ApiClient(user.deployment).get(query=query)) == 40101
