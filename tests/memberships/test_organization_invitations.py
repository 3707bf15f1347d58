"""Invitations to organizations by mail: who may send them, what they give, and every way to follow the link."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as django_mail
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.mail import outbox
from accounts.models import Deployment, User
from audit.models import AuditEntry
from memberships import invitations
from memberships.models import (
    OrganizationInvitation,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
)
from organizations.models import Organization, OrganizationRole
from tests.accounts.test_signing_up import ADA, SIGN_UP, attempt_of, prepare, verify
from tests.support.api import MULTIPART, ApiClient, data_of, error_code, memberships
from tests.support.cases import each
from tests.support.factories import (
    OrganizationRoleFactory,
    UserFactory,
    WorkspaceRoleFactory,
    join,
    join_organization,
    session_of,
)
from tests.support.self_service import Firm, admin_role, open_deployment, workspace_admin_role
from tests.support.sign_in import mailed_code, sign_in, user_with_password

ACCEPT = "/organizations/invitations/accept"
VALIDATE = "/deployment/invitations/validate"
INVALID_FIELD, FORBIDDEN, INVITATION_REQUIRED, NOT_FOUND, TOO_MANY_REQUESTS = 40004, 40301, 40309, 40404, 42901
SIGN_UP_ATTEMPT_OVER = 40116
ADDRESS = ADA["email"]


@pytest.fixture
def firm(db: None) -> Firm:
    return Firm(open_deployment(sign_up_mode="invitation", allowed_origins=["https://app.example.com"]))


@pytest.fixture
def admin(firm: Firm) -> ApiClient:
    return firm.client(firm.admin)


def invitations_of(firm: Firm) -> str:
    return f"/organizations/{firm.organization.pk}/invitations"


def invite(firm: Firm, client: ApiClient, email: Any = ADDRESS, **values: Any) -> Any:
    return client.post(invitations_of(firm), {"email": email} | values, content_type=MULTIPART)


def mailed_link() -> str:
    outbox.deliver_due()
    (link,) = re.findall(r"(?m)^(https?://\S+)$", str(django_mail.outbox[-1].body))
    return str(link)


def mailed_token() -> str:
    return mailed_link().rpartition("?invite_token=")[2]


def accept(client: ApiClient, token: str) -> Any:
    return data_of(client.post(ACCEPT, {"token": token}, content_type=MULTIPART))


def role_names(membership: Any) -> list[str]:
    return sorted(membership.roles.values_list("name", flat=True))


def in_organization(firm: Firm, user: User) -> OrganizationMembership | None:
    return OrganizationMembership.objects.filter(organization=firm.organization, user=user).first()


def begin_sign_up(client: ApiClient, token: str, **values: str) -> Any:
    return client.post(SIGN_UP, ADA | values | {"invite_token": token}, content_type=MULTIPART)


def sign_up(client: ApiClient, token: str, **values: str) -> Any:
    """The answer to the code of the mail."""
    attempt = attempt_of(begin_sign_up(client, token, **values))
    prepare(client, attempt)
    return verify(client, attempt, mailed_code())


def test_an_invitation_has_the_shape_that_client_libraries_read(firm: Firm, admin: ApiClient) -> None:
    role = admin_role(firm.deployment)
    data = data_of(
        invite(
            firm,
            admin,
            "Ada@EXAMPLE.com",
            role_id=role.pk,
            workspace_id=firm.workspace.pk,
            workspace_role_id=firm.workspace_role.pk,
        )
    )
    assert {name: type(value) for name, value in data.items()} == {
        "id": str,
        "created_at": str,
        "updated_at": str,
        "organization_id": str,
        "email": str,
        "initial_organization_role": dict,
        "inviter": dict,
        "workspace": dict,
        "initial_workspace_role": dict,
        "expired": bool,
    }
    assert data["organization_id"] == str(firm.organization.pk)
    assert (data["email"], data["expired"]) == ("Ada@example.com", False)
    assert (data["initial_organization_role"]["id"], data["initial_workspace_role"]["id"]) == (
        str(role.pk),
        str(firm.workspace_role.pk),
    )
    assert data["inviter"]["id"] == str(firm.admin_membership.pk)
    assert data["inviter"]["user"]["id"] == str(firm.admin.pk)
    assert data["workspace"]["id"] == str(firm.workspace.pk)
    listed = data_of(admin.get(invitations_of(firm)))
    assert [row["email"] for row in listed] == ["invited@example.com", "Ada@example.com"]
    assert listed[1] == data
    assert data_of(admin.get(invitations_of(firm), f"workspace_id={firm.workspace.pk}")) == [data]
    assert data_of(admin.get(invitations_of(firm), f"workspace_id={Firm().workspace.pk}")) == []


def test_without_roles_an_invitation_gives_the_default_ones(firm: Firm, admin: ApiClient) -> None:
    """The client library names no role of the organization when it invites to a workspace."""
    data = data_of(invite(firm, admin, workspace_id=firm.workspace.pk))
    assert data["initial_organization_role"]["name"] == data["initial_workspace_role"]["name"] == "Member"
    data = data_of(invite(firm, admin))
    assert (data["workspace"], data["initial_workspace_role"]) == (None, None)
    Deployment.objects.update(default_org_member_role=None)
    assert data_of(invite(firm, admin, "other@example.com"))["initial_organization_role"] is None


def test_the_mail_leads_to_the_page_of_the_front_end(firm: Firm, admin: ApiClient) -> None:
    Organization.objects.update(name="Evil https://evil.example/x")
    User.objects.filter(pk=firm.admin.pk).update(first_name="https://evil.example/")
    invite(firm, admin, workspace_id=firm.workspace.pk)
    assert re.fullmatch(r"https://app\.example\.com/accept-invitation\?invite_token=[\w-]{43}", mailed_link())
    message = django_mail.outbox[-1]
    assert message.to == [ADDRESS]
    assert message.subject == f"{firm.admin.email} invites you to {firm.workspace.name} at Evil https evil example x"
    assert "evil.example" not in str(message.body)
    assert "7 days" in str(message.body)
    Deployment.objects.update(ui_settings={"accept_invitation_url": "https://app.example.com/join?a=b"})
    invite(firm, admin, "other@example.com")
    assert mailed_link().startswith("https://app.example.com/join?a=b&invite_token=")


def test_a_signed_in_user_with_the_address_becomes_a_member(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email="ADA@example.com")
    row = {"role_id": admin_role(firm.deployment).pk, "workspace_id": firm.workspace.pk}
    invite(firm, admin, **row, workspace_role_id=workspace_admin_role(firm.deployment).pk)
    session = session_of(user)
    client = firm.client(user)
    data = accept(client, mailed_token())
    assert data.pop("signin_id") in {str(pk) for pk in user.sign_ins.values_list("pk", flat=True)}
    assert session.pk
    assert data == {
        "organization": {"id": str(firm.organization.pk), "name": firm.organization.name},
        "workspace": {"id": str(firm.workspace.pk), "name": firm.workspace.name},
        "already_member": False,
        "message": f"You are a member of {firm.workspace.name} now.",
    }
    assert role_names(firm.membership(user)) == role_names(firm.in_workspace(user)) == ["Admin"]
    (place,) = memberships(user)
    assert (place["workspace"]["id"], place["roles"][0]["name"]) == (str(firm.workspace.pk), "Admin")
    entry = AuditEntry.objects.get(model="memberships.organizationinvitation", action="changed")
    assert (entry.actor_kind, entry.actor_id) == ("user", user.pk)
    assert data_of(admin.get(invitations_of(firm)))[0]["email"] == "invited@example.com"


def test_the_token_may_come_in_the_query_too(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    invite(firm, admin)
    data = data_of(firm.client(user).post(ACCEPT, {}, f"token={mailed_token()}"))
    assert "workspace" not in data
    assert role_names(firm.membership(user)) == ["Member"]
    assert data_of(firm.client(user).post(ACCEPT, {}))["error_code"] == "INVITATION_UNKNOWN"


def test_any_verified_address_of_the_user_counts_and_no_other(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment)
    address = user.email_addresses.create(email=ADDRESS)
    invite(firm, admin)
    token = mailed_token()
    assert accept(firm.client(user), token)["error_code"] == "INVITATION_REQUIRES_SIGNUP"
    assert in_organization(firm, user) is None
    type(address).objects.filter(pk=address.pk).update(verified_at=timezone.now())
    assert accept(firm.client(user), token)["already_member"] is False
    assert in_organization(firm, user) is not None


def test_a_new_person_signs_up_from_the_mail_into_both_places(firm: Firm, admin: ApiClient) -> None:
    """Only the invited may sign up here: the token counts as an invitation to that, too."""
    role = {"role_id": admin_role(firm.deployment).pk}
    invite(firm, admin, workspace_id=firm.workspace.pk, workspace_role_id=firm.workspace_role.pk, **role)
    token = mailed_token()
    browser = ApiClient(firm.deployment)
    assert accept(browser, token) == {
        "requires_signin": True,
        "error_code": "INVITATION_REQUIRES_SIGNUP",
        "message": f"This invitation is for {ADDRESS}; sign up with that address.",
        "invited_email": ADDRESS,
    }
    assert data_of(browser.get(VALIDATE, f"token={token}")) == {
        "valid": True,
        "first_name": "",
        "last_name": "",
        "email": ADDRESS,
    }
    data = data_of(sign_up(browser, token))
    user = User.objects.get(email=ADDRESS)
    assert data["active_signin"]["user_id"] == str(user.pk)
    assert role_names(firm.membership(user)) == ["Admin"]
    assert role_names(firm.in_workspace(user)) == [firm.workspace_role.name]
    (place,) = data_of(browser.get())
    assert place["workspace"]["id"] == str(firm.workspace.pk)
    entry = AuditEntry.objects.filter(model="memberships.organizationmembership", action="added").latest("pk")
    assert (entry.actor_kind, entry.actor_id) == ("user", user.pk)
    # The sign-up form goes back to the page of the invitation then.
    assert accept(browser, token)["already_member"] is True


def test_a_sign_up_with_the_token_takes_the_invited_address(firm: Firm, admin: ApiClient) -> None:
    invite(firm, admin)
    token = mailed_token()
    response = begin_sign_up(ApiClient(firm.deployment), token, email="mallory@example.com")
    assert error_code(response) == INVITATION_REQUIRED
    Deployment.objects.update(sign_up_mode="open")
    sign_up(ApiClient(firm.deployment), token, email="mallory@example.com")
    assert in_organization(firm, User.objects.get(email="mallory@example.com")) is None


@pytest.mark.parametrize("mode", ["invitation", "open"])
def test_an_invitation_that_is_withdrawn_during_the_sign_up_gives_nothing(
    firm: Firm, admin: ApiClient, mode: str
) -> None:
    Deployment.objects.update(sign_up_mode=mode)
    id_ = data_of(invite(firm, admin))["id"]
    browser = ApiClient(firm.deployment)
    attempt = attempt_of(begin_sign_up(browser, mailed_token()))
    prepare(browser, attempt)
    data_of(admin.post(f"{invitations_of(firm)}/{id_}/discard"))
    response = verify(browser, attempt, mailed_code())
    if mode == "invitation":
        assert error_code(response) == SIGN_UP_ATTEMPT_OVER
        assert not User.objects.filter(email=ADDRESS).exists()
    else:
        assert in_organization(firm, User.objects.get(pk=data_of(response)["active_signin"]["user_id"])) is None


def test_a_visitor_whose_address_has_an_account_is_to_sign_in(firm: Firm, admin: ApiClient) -> None:
    user = user_with_password(firm.deployment, email=ADDRESS)
    invite(firm, admin)
    token = mailed_token()
    browser = ApiClient(firm.deployment)
    assert accept(browser, token) == {
        "requires_signin": True,
        "error_code": "INVITATION_REQUIRES_SIGNIN",
        "message": f"This invitation is for {ADDRESS}; sign in with that address.",
        "invited_email": ADDRESS,
    }
    sign_in(browser, user)
    assert accept(browser, token)["organization"]["id"] == str(firm.organization.pk)


def test_a_differently_signed_in_user_is_told_the_invited_address(firm: Firm, admin: ApiClient) -> None:
    UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    invite(firm, admin, workspace_id=firm.workspace.pk)
    stranger = UserFactory.create(deployment=firm.deployment)
    token = mailed_token()
    assert accept(firm.client(stranger), token) == {
        "requires_signin": True,
        "error_code": "INVITATION_EMAIL_MISMATCH",
        "message": f"This invitation is for {ADDRESS}; sign in with that address.",
        "invited_email": ADDRESS,
    }
    assert in_organization(firm, stranger) is None
    assert not OrganizationInvitation.objects.filter(accepted_at__isnull=False).exists()


def test_another_sign_in_of_the_session_may_be_the_invited_user(firm: Firm, admin: ApiClient) -> None:
    invited, other = (user_with_password(firm.deployment, email=email) for email in (ADDRESS, "bo@example.com"))
    browser = ApiClient(firm.deployment)
    first = data_of(sign_in(browser, invited))["active_signin"]["id"]
    sign_in(browser, other)
    invite(firm, admin)
    data = accept(browser, mailed_token())
    assert (data["signin_id"], data["organization"]["id"]) == (first, str(firm.organization.pk))
    assert in_organization(firm, invited) is not None
    assert in_organization(firm, other) is None


def test_where_nobody_can_sign_up_the_invited_need_an_account(firm: Firm, admin: ApiClient) -> None:
    Deployment.objects.update(sign_up_mode="closed")
    invite(firm, admin)
    data = accept(ApiClient(firm.deployment), mailed_token())
    assert (data["error_code"], data["invited_email"]) == ("INVITATION_REQUIRES_ACCOUNT", ADDRESS)
    assert "requires_signin" not in data


def test_a_member_keeps_the_roles_that_they_have(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    invite(firm, admin, role_id=admin_role(firm.deployment).pk)
    join_organization(user, firm.organization)
    data = accept(firm.client(user), mailed_token())
    assert (data["already_member"], data["organization"]["name"]) == (True, firm.organization.name)
    assert role_names(firm.membership(user)) == []


def test_a_member_of_the_organization_can_be_invited_to_a_workspace(firm: Firm, admin: ApiClient) -> None:
    assert error_code(invite(firm, admin, firm.outsider.email)) == INVALID_FIELD
    assert error_code(invite(firm, admin, firm.member.email, workspace_id=firm.workspace.pk)) == INVALID_FIELD
    data_of(invite(firm, admin, firm.outsider.email, workspace_id=firm.workspace.pk))
    assert accept(firm.client(firm.outsider), mailed_token())["already_member"] is False
    assert role_names(firm.in_workspace(firm.outsider)) == ["Member"]


def test_the_auto_assigned_workspace_and_the_named_one_may_be_the_same(firm: Firm, admin: ApiClient) -> None:
    Organization.objects.update(auto_assigned_workspace=firm.workspace)
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    invite(firm, admin, workspace_id=firm.workspace.pk, workspace_role_id=firm.workspace_role.pk)
    assert accept(firm.client(user), mailed_token())["already_member"] is False
    assert role_names(firm.in_workspace(user)) == sorted(["Member", firm.workspace_role.name])


def test_an_address_of_a_stranger_shows_no_account(firm: Firm, admin: ApiClient) -> None:
    UserFactory.create(deployment=firm.deployment, email="stranger@example.com")
    known, unknown = (data_of(invite(firm, admin, f"{name}@example.com")) for name in ("stranger", "nobody"))
    for data in (known, unknown):
        for name in ("id", "email", "created_at", "updated_at"):
            del data[name]
    assert known == unknown
    assert error_code(invite(firm, admin, firm.member.email)) == INVALID_FIELD


def test_an_address_has_one_open_invitation_to_a_place(firm: Firm, admin: ApiClient) -> None:
    data_of(invite(firm, admin))
    response = invite(firm, admin, "ADA@example.com")
    assert error_code(response) == INVALID_FIELD
    assert "open invitation already" in response.json()["errors"][0]["message"]
    data_of(invite(firm, admin, workspace_id=firm.workspace.pk))


def test_what_is_no_address_or_place_is_refused(firm: Firm, admin: ApiClient) -> None:
    other = Firm(firm.deployment)
    assert error_code(invite(firm, admin, "ada")) == INVALID_FIELD
    assert error_code(invite(firm, admin, workspace_role_id=firm.workspace_role.pk)) == INVALID_FIELD
    assert error_code(invite(firm, admin, workspace_id=other.workspace.pk)) == NOT_FOUND
    assert error_code(invite(firm, admin, role_id=other.role.pk)) == NOT_FOUND
    place = {"workspace_id": firm.other_workspace.pk}
    assert error_code(invite(firm, admin, **place, workspace_role_id=firm.workspace_role.pk)) == NOT_FOUND
    assert OrganizationInvitation.objects.filter(organization=firm.organization).count() == 1


def test_nobody_invites_with_a_role_beyond_their_own(firm: Firm, admin: ApiClient) -> None:
    role = OrganizationRoleFactory.create(deployment=firm.deployment, permissions=["billing:pay"])
    workspace_role = WorkspaceRoleFactory.create(deployment=firm.deployment, permissions=["crane:drive"])
    place = {"workspace_id": firm.workspace.pk, "workspace_role_id": workspace_role.pk}
    assert error_code(invite(firm, admin, role_id=role.pk)) == FORBIDDEN
    assert error_code(invite(firm, admin, **place)) == FORBIDDEN
    OrganizationMembershipRole.objects.create(membership=firm.admin_membership, role=role)
    join(firm.admin, firm.workspace, workspace_role)
    data_of(invite(firm, admin, **place, role_id=role.pk))


def leave(firm: Firm) -> None:
    successor = join_organization(UserFactory.create(deployment=firm.deployment), firm.organization)
    OrganizationMembershipRole.objects.create(membership=successor, role=admin_role(firm.deployment))
    firm.admin_membership.delete()


def be_disabled(firm: Firm) -> None:
    successor = join_organization(UserFactory.create(deployment=firm.deployment), firm.organization)
    OrganizationMembershipRole.objects.create(membership=successor, role=admin_role(firm.deployment))
    User.objects.filter(pk=firm.admin.pk).update(disabled=True)


def be_demoted(firm: Firm) -> None:
    successor = join_organization(UserFactory.create(deployment=firm.deployment), firm.organization)
    OrganizationMembershipRole.objects.create(membership=successor, role=admin_role(firm.deployment))
    firm.admin_membership.given_roles.all().delete()


def lose_the_permission(firm: Firm) -> None:
    """The role with which they administer the organization is to do so no more."""
    successor = join_organization(UserFactory.create(deployment=firm.deployment), firm.organization)
    own = OrganizationRoleFactory.create(deployment=firm.deployment, permissions=["organization:admin"])
    OrganizationMembershipRole.objects.create(membership=successor, role=own)
    OrganizationRole.objects.filter(pk=admin_role(firm.deployment).pk).update(permissions=["organization:member"])


def have_the_role_changed(firm: Firm) -> None:
    """It allows more now than whoever invited may do."""
    OrganizationRole.objects.filter(pk=firm.role.pk).update(permissions=["billing:pay"])


@each("fall", [leave, be_disabled, be_demoted, lose_the_permission, have_the_role_changed])
def test_an_inviter_who_could_not_give_the_role_any_more_gives_nothing(firm: Firm, admin: ApiClient, fall: Any) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    data_of(invite(firm, admin, role_id=firm.role.pk, workspace_id=firm.workspace.pk))
    token = mailed_token()
    browser = ApiClient(firm.deployment)
    assert data_of(browser.get(VALIDATE, f"token={token}"))["valid"] is True
    fall(firm)
    data = accept(firm.client(user), token)
    assert (data["error_code"], "organization" in data) == ("INVITATION_VOID", False)
    assert in_organization(firm, user) is None
    assert data_of(browser.get(VALIDATE, f"token={token}"))["error_code"] == "invitation_void"
    assert error_code(begin_sign_up(browser, token)) == INVITATION_REQUIRED


def test_another_administrator_takes_an_invitation_over_by_sending_it_again(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    id_ = data_of(invite(firm, admin))["id"]
    leave(firm)
    successor = OrganizationMembership.objects.latest("pk")
    client = firm.client(successor.user)
    assert next(row for row in data_of(client.get(invitations_of(firm))) if row["id"] == id_)["inviter"] is None
    data = data_of(client.post(f"{invitations_of(firm)}/{id_}/resend"))
    assert data["inviter"]["id"] == str(successor.pk)
    assert accept(firm.client(user), mailed_token())["already_member"] is False


def test_an_invitation_of_staff_has_no_inviter(firm: Firm) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    role = OrganizationRoleFactory.create(deployment=firm.deployment, permissions=["billing:pay"])
    firm.invite(ADDRESS, inviter=None, is_by_staff=True, role=role)
    accept(firm.client(user), mailed_token())
    assert role_names(firm.membership(user)) == [role.name]


def test_only_the_newest_link_of_an_invitation_is_good(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    data = data_of(invite(firm, admin))
    first = mailed_token()
    OrganizationInvitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert all(row["expired"] for row in data_of(admin.get(invitations_of(firm))))
    expired = accept(firm.client(user), first)
    assert (expired["error_code"], expired["invited_email"]) == ("INVITATION_EXPIRED", ADDRESS)
    assert data_of(admin.post(f"{invitations_of(firm)}/{data['id']}/resend"))["expired"] is False
    assert accept(firm.client(user), first)["error_code"] == "INVITATION_UNKNOWN"
    assert accept(firm.client(user), mailed_token())["already_member"] is False


def test_a_discarded_invitation_is_gone(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    data = data_of(invite(firm, admin))
    token = mailed_token()
    assert data_of(admin.post(f"{invitations_of(firm)}/{data['id']}/discard"))["id"] == data["id"]
    assert accept(firm.client(user), token) == {
        "error_code": "INVITATION_DISCARDED",
        "message": "This invitation was withdrawn; ask for a new one.",
    }
    for action in ("discard", "resend"):
        assert error_code(admin.post(f"{invitations_of(firm)}/{data['id']}/{action}")) == NOT_FOUND
    data_of(invite(firm, admin))


def test_a_used_invitation_is_nobody_elses(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    invite(firm, admin)
    token = mailed_token()
    accept(firm.client(user), token)
    assert accept(firm.client(firm.member), token)["error_code"] == "INVITATION_ACCEPTED"
    assert accept(ApiClient(firm.deployment), token)["error_code"] == "INVITATION_ACCEPTED"
    assert accept(firm.client(user), token)["already_member"] is True
    firm.membership(user).delete()
    assert accept(firm.client(user), token)["error_code"] == "INVITATION_ACCEPTED"
    assert in_organization(firm, user) is None


def test_a_token_is_good_at_its_own_deployment_alone(firm: Firm, admin: ApiClient) -> None:
    invite(firm, admin)
    token = mailed_token()
    other = open_deployment(sign_up_mode="invitation")
    user = UserFactory.create(deployment=other, email=ADDRESS)
    assert accept(ApiClient(other, user), token)["error_code"] == "INVITATION_UNKNOWN"
    assert error_code(begin_sign_up(ApiClient(other), token)) == INVITATION_REQUIRED
    assert accept(ApiClient(firm.deployment), "forged")["error_code"] == "INVITATION_UNKNOWN"


def test_a_mailbox_gets_no_more_invitations_than_codes(firm: Firm, admin: ApiClient, settings: Any) -> None:
    settings.CODES_PER_ACCOUNT = 3
    path = f"{invitations_of(firm)}/{data_of(invite(firm, admin))['id']}/resend"
    assert [admin.post(path).status_code for _ in range(2)] == [200, 200]
    assert error_code(admin.post(path)) == TOO_MANY_REQUESTS
    other = Firm(firm.deployment)
    assert error_code(invite(other, other.client(other.admin), "ADA@example.com")) == TOO_MANY_REQUESTS


def test_tries_to_accept_are_throttled(firm: Firm, settings: Any) -> None:
    settings.CHANGES_PER_ADDRESS = 2
    browser = ApiClient(firm.deployment)
    assert [browser.post(ACCEPT, {"token": "forged"}).status_code for _ in range(3)] == [200, 200, 429]


def test_the_token_is_kept_as_a_hash_and_stays_out_of_the_audit_log(firm: Firm, admin: ApiClient) -> None:
    invite(firm, admin)
    row = OrganizationInvitation.objects.latest("pk")
    assert mailed_token() not in row.token_hash
    entry = AuditEntry.objects.filter(model="memberships.organizationinvitation", action="added").latest("pk")
    assert entry.after is not None
    assert (entry.name, entry.after["token_hash"]) == (ADDRESS, "(secret)")
    assert (entry.actor_kind, entry.actor_id) == ("user", firm.admin.pk)


@each("what", ["role", "workspace_role", "inviter", "workspace", "foreign role"])
def test_the_database_refuses_parts_of_other_organizations(firm: Firm, what: str) -> None:
    other = Firm(firm.deployment)
    rows: dict[str, dict[str, Any]] = {
        "role": {"role": other.role},
        "workspace_role": {"workspace": firm.workspace, "workspace_role": other.workspace_role},
        "inviter": {"inviter": other.admin_membership},
        "workspace": {"workspace": other.workspace},
        "foreign role": {"role": admin_role(open_deployment())},
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        firm.invite(ADDRESS, **rows[what])


def test_a_role_or_workspace_that_goes_takes_only_what_was_its_own(firm: Firm) -> None:
    """By raw SQL too."""
    row = firm.invite(ADDRESS, role=firm.role, workspace=firm.workspace, workspace_role=firm.workspace_role)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM organizations_organizationrole WHERE id = %s", [firm.role.pk])
        cursor.execute("DELETE FROM organizations_workspacerole WHERE id = %s", [firm.workspace_role.pk])
        row.refresh_from_db()
        assert (row.role_id, row.workspace_role_id, row.inviter_id) == (None, None, firm.admin_membership.pk)
        cursor.execute("DELETE FROM memberships_workspacemembership WHERE workspace_id = %s", [firm.workspace.pk])
        cursor.execute("DELETE FROM organizations_workspace WHERE id = %s", [firm.workspace.pk])
    assert not OrganizationInvitation.objects.filter(pk=row.pk).exists()


@each("change", ["accepted_at", "discarded_at", "token_hash"])
def test_an_invitation_that_changes_at_the_last_moment_gives_nothing(firm: Firm, change: str) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    row = firm.invite(ADDRESS)
    value = "another" if change == "token_hash" else timezone.now()
    OrganizationInvitation.objects.filter(pk=row.pk).update(**{change: value})
    assert invitations.accept(row, user) is None
    assert in_organization(firm, user) is None


@pytest.mark.django_db(transaction=True)
def test_fifty_acceptances_at_once_make_one_membership() -> None:
    firm = Firm()
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    firm.invite(ADDRESS, workspace=firm.workspace, workspace_role=firm.workspace_role)
    token = mailed_token()
    clients = [firm.client(user) for _ in range(50)]

    def follow(client: ApiClient) -> bool:
        try:
            # 503 after two seconds at a lock, as on a busy machine: try again, as its message says.
            answers = (client.post(ACCEPT, {"token": token}) for _ in range(20))
            return bool(data_of(next(one for one in answers if one.status_code != 503))["already_member"])
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        answers = sorted(pool.map(follow, clients))
    assert answers == [False] + [True] * 49
    assert OrganizationMembership.objects.filter(user=user).count() == 1
    assert role_names(WorkspaceMembership.objects.get(user=user)) == [firm.workspace_role.name]
    assert Organization.objects.get(pk=firm.organization.pk).member_count == 5
