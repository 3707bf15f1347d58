"""The overviews of users, organizations and workspaces, and what staff do from there."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import Authenticator, Mail, SignIn, User
from audit.models import AuditGroup
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import OrganizationDomain, UserSegment
from staff.bulk_changes import Refused, mail_password_resets
from tests.support.admin import url
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    SegmentFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    confirmed_authenticator,
    join,
    organization_invitation,
    session_of,
    staff,
)
from tests.support.sign_in import user_with_password

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    """A user with MFA and a password, who is signed in and in a workspace, with a role, and in a segment."""
    organization = OrganizationFactory.create(name="Ostwind", whitelisted_ips=["203.0.113.7"])
    workspace = WorkspaceFactory.create(organization=organization, name="Cellar")
    user = UserFactory.create(deployment=organization.deployment, first_name="Ada", email="ada@firm.example")
    user.set_password("a long enough one")
    user.save()
    join(user, workspace, WorkspaceRoleFactory.create(deployment=user.deployment, name="Brewer"))
    segment = SegmentFactory.create(deployment=user.deployment, type="user", name="Early birds")
    UserSegment.objects.create(user=user, segment=segment)
    confirmed_authenticator(user)
    sign_ins = session_of(user).sign_ins
    sign_ins.update(ip_address="198.51.100.23", user_agent="Mozilla/5.0 (X11; Linux) Firefox/1")
    return user


def shown(client: Client, row: Any) -> str:
    """The text of the overview, without markup and surplus space."""
    response = client.get(url(row, "overview"))
    assert response.status_code == 200
    return " ".join(re.sub("<[^>]*>", " ", response.content.decode().partition('id="content"')[2]).split())


def do(client: Client, row: Any, action: str, **fields: Any) -> str:
    """Press the button of ``action``, and Apply below its preview; gives the text of the preview."""
    address = url(row, "overview")
    assert f'name="action" value="{action}"' in client.get(address).content.decode()
    preview = client.post(address, {"action": action} | fields)
    assert preview.status_code == 200
    data = {"action": action, "ids": str(row.pk), "_selected_action": str(row.pk), **fields}
    done = client.post(address, data | {"apply": "1"}, follow=True)
    assert done.redirect_chain == [(address, 302)], done.content.decode()
    return preview.content.decode()


def test_a_users_overview_shows_who_they_are_and_where(admin_client: Client, user: User) -> None:
    text = shown(admin_client, user)
    for part in (
        *("Ada", "ada@firm.example", "enabled", "MFA on", "Firefox on Linux", "198.51.100.23", "live"),
        *("Ostwind", "Cellar", "Brewer", "Early birds", "Latest changes"),
    ):
        assert part in text, part


def test_the_overviews_of_places_show_members_rules_and_invitations(admin_client: Client, user: User) -> None:
    membership = WorkspaceMembership.objects.get(user=user)
    organization, workspace = membership.organization, membership.workspace
    organization.deployment.default_org_member_role = OrganizationRoleFactory.create(
        deployment=organization.deployment, name="Newcomer"
    )
    organization.deployment.save()
    OrganizationDomain.objects.create(organization=organization, fqdn="ostwind.example")
    organization_invitation(organization, email="guest@firm.example", workspace=workspace)
    text = shown(admin_client, organization)
    for part in (
        *("Members: 1", "ada@firm.example", "203.0.113.7", "ostwind.example", "guest@firm.example", "Cellar"),
        *("Newcomer", "MFA rule off", "Latest changes"),
    ):
        assert part in text, part
    text = shown(admin_client, workspace)
    for part in ("Ostwind", "Members: 1", "Brewer", "guest@firm.example", "every address may enter"):
        assert part in text, part


def test_an_empty_place_says_so(admin_client: Client) -> None:
    assert shown(admin_client, WorkspaceFactory.create()).count("None.") == 4


def test_a_user_is_offboarded_at_once_and_everywhere(admin_client: Client, user: User) -> None:
    preview = do(admin_client, user, "offboard")
    assert "is signed out of 1 session, leaves 1 organization, is disabled" in preview
    user.refresh_from_db()
    assert user.disabled
    assert not OrganizationMembership.objects.filter(user=user).exists()
    assert not WorkspaceMembership.objects.filter(user=user).exists()
    assert not SignIn.objects.filter(user=user, ended_at=None).exists()
    assert AuditGroup.objects.filter(name__startswith="Offboard").count() == 1


def test_a_preview_changes_nothing(admin_client: Client, user: User) -> None:
    for action in ("offboard", "reset_mfa", "sign_out", "disable", "mail_password_reset"):
        assert "will change" in admin_client.post(url(user, "overview"), {"action": action}).content.decode()
    user.refresh_from_db()
    assert not user.disabled
    assert OrganizationMembership.objects.filter(user=user).exists()
    assert Authenticator.objects.filter(user=user).exists()
    assert SignIn.objects.filter(user=user, ended_at=None).exists()
    assert not Mail.objects.exists()


def test_mfa_is_reset_and_the_user_signed_out_and_informed(admin_client: Client, user: User) -> None:
    do(admin_client, user, "reset_mfa")
    assert not Authenticator.objects.filter(user=user).exists()
    assert not SignIn.objects.filter(user=user, ended_at=None).exists()
    assert [(mail.to, mail.template) for mail in Mail.objects.all()] == [("ada@firm.example", "mfa_changed")]
    assert "Reset MFA" not in shown(admin_client, user).partition("State")[0]


def test_a_password_reset_is_mailed_to_those_who_can_use_it(admin_client: Client, user: User) -> None:
    do(admin_client, user, "mail_password_reset")
    assert [(mail.to, mail.template) for mail in Mail.objects.all()] == [("ada@firm.example", "reset_password")]
    cases: dict[str, dict[str, Any]] = {
        "has no e-mail address": {"email": ""},
        "has no password": {"password": ""},
        "disabled": {"disabled": True},
    }
    for reason, change in cases.items():
        other = UserFactory.create(deployment=user.deployment, username=f"u{len(reason)}")
        User.objects.filter(pk=other.pk).update(**({"password": "x"} | change))
        answer = admin_client.post(url(other, "overview"), {"action": "mail_password_reset"})
        assert reason in answer.content.decode()
    assert Mail.objects.count() == 1


def test_password_resets_by_staff_count_against_no_address(user: User, settings: Any) -> None:
    settings.CODES_PER_ADDRESS, settings.CODES_PER_ACCOUNT = 2, 1
    users = [user_with_password(user.deployment) for _ in range(3)]
    changes = mail_password_resets(users)
    assert {change.text for change in changes} == {
        "gets a code by mail that sets a new password; it is valid for 10 minutes"
    }
    with pytest.raises(Refused, match="was sent several codes just now"):
        mail_password_resets(users[:1])


def test_a_user_joins_an_organization_with_a_role(admin_client: Client, user: User) -> None:
    organization = OrganizationFactory.create(deployment=user.deployment)
    role = OrganizationRoleFactory.create(deployment=user.deployment)
    do(admin_client, user, "add_to_organization", organization=organization.pk, roles=[role.pk])
    membership = OrganizationMembership.objects.get(user=user, organization=organization)
    assert list(membership.roles.all()) == [role]


def test_support_sees_overviews_and_does_nothing_there(user: User) -> None:
    client = Client()
    client.force_login(staff(user.deployment, role="support"))
    text = shown(client, user)
    assert "Offboard" not in text
    assert "All fields" in text
    assert client.post(url(user, "overview"), {"action": "offboard"}).status_code == 403


def test_an_action_touches_the_row_of_its_page_alone(admin_client: Client, user: User) -> None:
    other = UserFactory.create(deployment=user.deployment)
    data = {"action": "disable", "ids": f"{other.pk}", "_selected_action": str(other.pk), "apply": "1"}
    admin_client.post(url(user, "overview"), data)
    other.refresh_from_db()
    assert not other.disabled


def test_what_is_not_there_is_not_found(admin_client: Client, user: User) -> None:
    for pk in ("999999", "x", "1e3", "9" * 25):
        assert admin_client.get(f"/admin/accounts/user/{pk}/overview/").status_code == 404, pk
    stranger = Client()
    stranger.force_login(staff(DeploymentFactory.create()))
    assert stranger.get(url(user, "overview")).status_code == 404
