"""Caching: the headers of an answer, and when an unchanged one need not be sent again (decision 12; RFC 9110, 13)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Deployment, User
from memberships.models import OrganizationMembershipRole, WorkspaceMembership, WorkspaceMembershipRole
from organizations.models import Organization, Segment, Workspace, WorkspaceRole, WorkspaceSegment
from tests.support.api import ApiClient, error_code
from tests.support.cases import each
from tests.support.factories import (
    OrganizationRoleFactory,
    SegmentFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    confirmed_authenticator,
    join,
    join_organization,
    member_of_new_workspace,
)

LISTED = "192.0.2.7"
UNLISTED = "198.51.100.7"
CACHING = {"Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization, Origin"}


@pytest.fixture
def membership(user: User) -> WorkspaceMembership:
    """The user's only one: it requires MFA, and the address ``LISTED``."""
    membership = member_of_new_workspace(
        user, enforce_2fa=True, enable_ip_restriction=True, whitelisted_ips=[LISTED], private_metadata={"floor": 3}
    )
    role = WorkspaceRoleFactory.create(deployment=user.deployment)
    WorkspaceMembershipRole.objects.create(membership=membership, role=role)
    segment = SegmentFactory.create(deployment=user.deployment)
    WorkspaceSegment.objects.create(workspace=membership.workspace, segment=segment)
    return membership


class Browser:
    """One session of a user; asks from ``LISTED``."""

    def __init__(self, user: User) -> None:
        self.client = ApiClient(user.deployment, user)

    def get(self, *, method: str = "GET", **headers: Any) -> Any:
        return self.client.request(method, **{"REMOTE_ADDR": LISTED, **headers})

    def etag(self) -> str:
        response = self.get()
        assert response.status_code == 200
        return str(response.headers["ETag"])


@pytest.fixture
def browser(user: User, membership: WorkspaceMembership) -> Browser:
    return Browser(user)


def test_an_answer_may_be_kept_but_must_be_checked(browser: Browser) -> None:
    headers = browser.get().headers
    assert {name: headers[name] for name in CACHING} == CACHING


def test_the_etag_is_strong_and_the_same_for_the_same_answer(browser: Browser) -> None:
    etag = browser.etag()
    assert re.fullmatch(r'"[\x21\x23-\x7e]+"', etag)
    assert browser.etag() == etag


@each("form", ["{0}", "W/{0}", '"other", {0}', '{0}, "other"', 'W/"other" ,W/{0}', "*"])
@each("method", ["GET", "HEAD"])
def test_a_client_that_has_the_answer_gets_304_without_a_body(browser: Browser, method: str, form: str) -> None:
    etag = browser.etag()
    response = browser.get(method=method, HTTP_IF_NONE_MATCH=form.format(etag))
    assert response.status_code == 304
    assert response.content == b""
    assert {name: response.headers[name] for name in ("ETag", *CACHING)} == {"ETag": etag, **CACHING}
    assert "Content-Type" not in response.headers


@each("form", ['"other"', 'W/"other"', '"other", "another"', "", "{bare}", '"{bare}', "'{bare}'", '""', ","])
def test_a_client_that_has_another_answer_or_names_none_gets_it_in_full(browser: Browser, form: str) -> None:
    etag = browser.etag()
    response = browser.get(HTTP_IF_NONE_MATCH=form.format(bare=etag.strip('"')))
    assert response.status_code == 200
    assert response.headers["ETag"] == etag
    assert len(response.json()["data"]) == 1


def test_head_gives_the_headers_of_get_and_no_body(browser: Browser) -> None:
    get, head = browser.get(), browser.get(method="HEAD")
    assert head.status_code == 200
    assert head.content == b""
    assert dict(head.headers) == dict(get.headers)
    assert head.headers["Content-Length"] == str(len(get.content))


def rename_the_organization(membership: WorkspaceMembership) -> None:
    Organization.objects.filter(pk=membership.organization_id).update(name="Renamed")


def describe_the_workspace(membership: WorkspaceMembership) -> None:
    Workspace.objects.filter(pk=membership.workspace_id).update(description="Described")


def change_private_metadata(membership: WorkspaceMembership) -> None:
    Workspace.objects.filter(pk=membership.workspace_id).update(private_metadata={"floor": 4})


def change_who_sees_private_metadata(membership: WorkspaceMembership) -> None:
    Deployment.objects.filter(pk=membership.user.deployment.pk).update(private_metadata_audience="nobody")


def touch_the_membership(membership: WorkspaceMembership) -> None:
    WorkspaceMembership.objects.filter(pk=membership.pk).update(public_metadata={"seat": 1})


def change_a_permission(membership: WorkspaceMembership) -> None:
    WorkspaceRole.objects.update(permissions=["shift:read"])


def take_the_role(membership: WorkspaceMembership) -> None:
    WorkspaceMembershipRole.objects.all().delete()


def rename_a_segment(membership: WorkspaceMembership) -> None:
    Segment.objects.update(name="Renamed")


def leave_a_segment(membership: WorkspaceMembership) -> None:
    WorkspaceSegment.objects.all().delete()


def somebody_else_joins(membership: WorkspaceMembership) -> None:
    join(UserFactory.create(deployment=membership.user.deployment), membership.workspace)


def join_another_workspace(membership: WorkspaceMembership) -> None:
    join(membership.user, WorkspaceFactory.create(organization=membership.organization))


def leave_the_workspace(membership: WorkspaceMembership) -> None:
    membership.delete()


def set_up_mfa(membership: WorkspaceMembership) -> None:
    confirmed_authenticator(membership.user)


def switch_a_rule_off(membership: WorkspaceMembership) -> None:
    Deployment.objects.filter(pk=membership.user.deployment.pk).update(enforce_mfa_per_workspace_enabled=False)


def change_the_allow_list(membership: WorkspaceMembership) -> None:
    Workspace.objects.filter(pk=membership.workspace_id).update(whitelisted_ips=[UNLISTED])


def become_an_administrator(membership: WorkspaceMembership) -> None:
    OrganizationMembershipRole.objects.create(
        membership=join_organization(membership.user, membership.organization),
        role=OrganizationRoleFactory.create(deployment=membership.user.deployment, permissions=["organization:admin"]),
    )


@each(
    "change",
    [
        rename_the_organization,
        describe_the_workspace,
        change_private_metadata,
        change_who_sees_private_metadata,
        touch_the_membership,
        change_a_permission,
        take_the_role,
        rename_a_segment,
        leave_a_segment,
        somebody_else_joins,
        join_another_workspace,
        leave_the_workspace,
        set_up_mfa,
        switch_a_rule_off,
        change_the_allow_list,
        become_an_administrator,
    ],
)
def test_a_change_of_anything_in_the_answer_gives_it_anew(
    browser: Browser, membership: WorkspaceMembership, change: Callable[[WorkspaceMembership], None]
) -> None:
    before = browser.get()
    change(membership)
    after = browser.get(HTTP_IF_NONE_MATCH=before.headers["ETag"])
    assert after.status_code == 200
    assert after.content != before.content
    assert after.headers["ETag"] != before.headers["ETag"]


def test_an_address_that_is_less_eligible_gives_the_answer_anew(browser: Browser) -> None:
    etag = browser.etag()
    elsewhere = browser.get(HTTP_IF_NONE_MATCH=etag, REMOTE_ADDR=UNLISTED)
    assert elsewhere.status_code == 200
    assert elsewhere.json()["data"][0]["eligibility_restriction"]["type"] == "ip_and_mfa_required"
    assert browser.get(HTTP_IF_NONE_MATCH=elsewhere.headers["ETag"]).status_code == 200
    assert browser.get(HTTP_IF_NONE_MATCH=etag).status_code == 304


def test_the_filtered_answer_has_another_etag_than_the_unfiltered_one(
    browser: Browser, membership: WorkspaceMembership
) -> None:
    etag = browser.etag()
    member_of_new_workspace(membership.user)
    query = f"org_id={membership.organization_id}"
    everything = browser.etag()
    assert etag != everything
    response = browser.client.get(query=query, REMOTE_ADDR=LISTED, HTTP_IF_NONE_MATCH=everything)
    assert response.status_code == 200
    assert response.headers["ETag"] == etag


def test_the_etag_of_another_user_or_session_never_stands_for_ones_own(user: User, browser: Browser) -> None:
    colleague = Browser(UserFactory.create(deployment=user.deployment))
    for other in (colleague, Browser(user)):
        response = browser.get(HTTP_IF_NONE_MATCH=other.etag())
        assert response.status_code == 200
        assert response.json()["data"][0]["user_id"] == str(user.pk)


@each("form", ['"other"', "W/{0}", '"other", W/{0}'])
@each("method", ["GET", "HEAD"])
def test_a_client_that_insists_on_another_answer_gets_412(browser: Browser, method: str, form: str) -> None:
    # RFC 9110, 13.1.1: If-Match compares strongly, so the weak form of the very ETag does not match.
    etag = browser.etag()
    response = browser.get(method=method, HTTP_IF_MATCH=form.format(etag))
    assert response.status_code == 412
    if method == "GET":
        assert error_code(response) == 41201
    assert "ETag" not in response.headers


@each("form", ["{0}", '"other", {0}', "*"])
def test_a_client_that_insists_on_this_answer_gets_it(browser: Browser, form: str) -> None:
    assert browser.get(HTTP_IF_MATCH=form.format(browser.etag())).status_code == 200


@each("header", ["HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE"])
@each("date", ["Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT", "yesterday"])
def test_conditions_on_the_date_are_ignored_because_the_answer_has_none(
    browser: Browser, header: str, date: str
) -> None:
    # RFC 9110, 13.1.3 and 13.1.4
    assert browser.get(**{header: date}).status_code == 200


@each(
    ("query", "headers", "status"),
    [
        ("org_id=x", {}, 400),
        ("", {"HTTP_COOKIE": ""}, 401),
        (f"org_id={2**62}", {}, 404),
        ("", {"HTTP_HOST": "nowhere.example.com"}, 404),
    ],
)
def test_an_error_has_no_etag_and_is_never_304(
    browser: Browser, query: str, headers: dict[str, str], status: int
) -> None:
    response = browser.client.get(query=query, HTTP_IF_NONE_MATCH="*", **headers)
    assert response.status_code == status
    assert "ETag" not in response.headers
    assert response.headers["Cache-Control"] == "private, no-cache"
