"""The next poll of each endpoint shows any change of what it answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.utils import timezone

from accounts.authentication import sessions
from accounts.models import Deployment, Session, SignIn, SignInAttempt, SignUpAttempt, User
from accounts.sign_in import signing_in
from accounts.tokens import keys
from memberships.models import (
    ActiveMembership,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import Organization, OrganizationRole, Segment, UserSegment, Workspace, WorkspaceRole
from tests.support.api import ApiClient
from tests.support.factories import SegmentFactory, UserFactory, backup_code, confirmed_authenticator
from tests.support.polled import (
    DEPLOYMENT,
    ME,
    ORGANIZATIONS,
    POLLED,
    SESSION,
    TOKEN,
    Tab,
    World,
    begin_a_sign_in,
    sign_somebody_in,
)


def rename_the_user(world: World) -> None:
    User.objects.filter(pk=world.user.pk).update(first_name="Bea")


def give_an_address(world: World) -> None:
    User.objects.filter(pk=world.user.pk).update(email="other@example.com")


def verify_the_address(world: World) -> None:
    world.user.email_addresses.update(verified_at=timezone.now())


def add_an_address(world: World) -> None:
    world.user.email_addresses.create(email="second@example.com")


def set_a_password(world: World) -> None:
    world.user.set_password("seven lazy foxes jump")
    world.user.save()


def change_metadata(world: World) -> None:
    User.objects.filter(pk=world.user.pk).update(public_metadata={"n": 1})


def confirm_an_authenticator(world: World) -> None:
    confirmed_authenticator(world.user)


def make_backup_codes(world: World) -> None:
    confirmed_authenticator(world.user)
    for path in POLLED:
        world.tab.poll(path)
    backup_code(world.user)


def rename_a_segment(world: World) -> None:
    Segment.objects.filter(pk=world.segment.pk).update(name="Renamed")


def leave_a_segment(world: World) -> None:
    UserSegment.objects.all().delete()


def begin_a_sign_up(world: World) -> None:
    SignUpAttempt.objects.create(
        deployment=world.deployment,
        session=world.session,
        email="new@example.com",
        expires_at=timezone.now() + timedelta(minutes=5),
    )


def end_the_sign_in(world: World) -> None:
    SignIn.objects.filter(session=world.session).update(ended_at=timezone.now())


def disable_the_user(world: World) -> None:
    User.objects.filter(pk=world.user.pk).update(disabled=True)


def leave_the_workspace_in_the_session(world: World) -> None:
    ActiveMembership.objects.update(workspace_membership=None)


def act_nowhere(world: World) -> None:
    ActiveMembership.objects.all().delete()


def end_the_organization_membership(world: World) -> None:
    OrganizationMembership.objects.filter(pk=world.organization_membership.pk).delete()


def end_the_workspace_membership(world: World) -> None:
    WorkspaceMembership.objects.filter(pk=world.membership.pk).delete()


def rename_the_organization(world: World) -> None:
    Organization.objects.filter(pk=world.organization.pk).update(name="Renamed")


def change_membership_metadata(world: World) -> None:
    OrganizationMembership.objects.filter(pk=world.organization_membership.pk).update(public_metadata={"seat": 1})


def change_an_organization_role(world: World) -> None:
    OrganizationRole.objects.filter(pk=world.organization_role.pk).update(permissions=["organization:admin"])


def take_the_organization_role(world: World) -> None:
    OrganizationMembershipRole.objects.filter(membership=world.organization_membership).delete()


def change_a_workspace_role(world: World) -> None:
    WorkspaceRole.objects.filter(pk=world.role.pk).update(permissions=["workspace:admin"])


def take_the_workspace_role(world: World) -> None:
    WorkspaceMembershipRole.objects.filter(membership=world.membership).delete()


def restrict_the_organization(world: World) -> None:
    Organization.objects.filter(pk=world.organization.pk).update(enforce_mfa=True)


def restrict_the_workspace(world: World) -> None:
    Workspace.objects.filter(pk=world.workspace.pk).update(enforce_2fa=True)


def hide_private_metadata(world: World) -> None:
    Deployment.objects.filter(pk=world.deployment.pk).update(private_metadata_audience="nobody")


def rename_the_deployment(world: World) -> None:
    Deployment.objects.filter(pk=world.deployment.pk).update(name="Renamed")


def switch_workspaces_off(world: World) -> None:
    Deployment.objects.filter(pk=world.deployment.pk).update(workspaces_enabled=False)


Change = Callable[[World], None]
CHANGES: list[tuple[Change, set[str]]] = [
    (rename_the_user, {SESSION, ME, ORGANIZATIONS}),
    (give_an_address, {SESSION, ME, ORGANIZATIONS}),
    (verify_the_address, {SESSION, ME, ORGANIZATIONS}),
    (add_an_address, {SESSION, ME}),
    (set_a_password, {SESSION, ME}),
    (change_metadata, {SESSION, ME}),
    (confirm_an_authenticator, {SESSION, ME}),
    (make_backup_codes, {SESSION, ME}),
    (rename_a_segment, {SESSION, ME}),
    (leave_a_segment, {SESSION, ME}),
    (sign_somebody_in, {SESSION}),
    (begin_a_sign_in, {SESSION}),
    (begin_a_sign_up, {SESSION}),
    (end_the_sign_in, {SESSION, ME, ORGANIZATIONS, TOKEN}),
    (disable_the_user, {SESSION, ME, ORGANIZATIONS, TOKEN}),
    (leave_the_workspace_in_the_session, {SESSION, TOKEN}),
    (act_nowhere, {SESSION, TOKEN}),
    (end_the_organization_membership, {SESSION, ORGANIZATIONS, TOKEN}),
    (end_the_workspace_membership, {SESSION, TOKEN}),
    (rename_the_organization, {ORGANIZATIONS}),
    (change_membership_metadata, {ORGANIZATIONS}),
    (change_an_organization_role, {ORGANIZATIONS, TOKEN}),
    (take_the_organization_role, {ORGANIZATIONS, TOKEN}),
    (change_a_workspace_role, {TOKEN}),
    (take_the_workspace_role, {TOKEN}),
    (restrict_the_organization, {ORGANIZATIONS, TOKEN}),
    (restrict_the_workspace, {TOKEN}),
    (hide_private_metadata, {ORGANIZATIONS, DEPLOYMENT}),
    (rename_the_deployment, {DEPLOYMENT}),
    (switch_workspaces_off, {DEPLOYMENT}),
]


def lasting(data: Any) -> Any:
    """``data`` without what is another in each token."""
    if isinstance(data, dict) and "jti" in data:
        return {name: value for name, value in data.items() if name not in ("jti", "iat", "nbf", "exp")}
    return data


@pytest.mark.parametrize(("change", "paths"), CHANGES)
def test_the_next_poll_shows_a_change(world: World, change: Change, paths: set[str]) -> None:
    before = {path: lasting(world.tab.poll(path)) for path in POLLED}
    change(world)
    after = {path: lasting(world.tab.poll(path)) for path in POLLED}
    afresh = {path: lasting(Tab(world.user, world.session).poll(path)) for path in POLLED}
    assert after == afresh
    assert {path for path in POLLED if after[path] != before[path]} == paths


def test_the_next_poll_shows_a_change_of_another_user_of_the_session(world: World) -> None:
    colleague = UserFactory.create(deployment=world.deployment)
    sessions.sign_in(world.session, user=colleague, expires_at=world.session.expires_at)
    sessions.switch_sign_in(world.session, world.session.sign_ins.get(user=world.user).pk)
    segment = SegmentFactory.create(deployment=world.deployment, type="user")
    shown = world.tab.poll(SESSION)
    for change in (
        lambda: User.objects.filter(pk=colleague.pk).update(first_name="Bea"),
        lambda: colleague.email_addresses.update(verified_at=timezone.now()),
        lambda: confirmed_authenticator(colleague),
        lambda: backup_code(colleague),
        lambda: UserSegment.objects.create(user=colleague, segment=segment),
        lambda: UserSegment.objects.filter(user=colleague).delete(),
        lambda: User.objects.filter(pk=colleague.pk).update(disabled=True),
    ):
        before, shown = shown, world.tab.poll(SESSION)
        assert before == shown
        change()
        shown = world.tab.poll(SESSION)
        assert before != shown == Tab(world.user, world.session).poll(SESSION)


def test_a_token_is_signed_by_the_key_that_signs_now(world: World) -> None:
    old = jwt.get_unverified_header(world.tab.ask(TOKEN).json()["data"]["token"])["kid"]
    new = keys.rotate_keys(world.deployment).kid
    for _ in range(3):
        assert jwt.get_unverified_header(world.tab.ask(TOKEN).json()["data"]["token"])["kid"] == new != old


def test_another_address_may_change_who_may_enter(world: World) -> None:
    Organization.objects.filter(pk=world.organization.pk).update(
        enable_ip_restriction=True, whitelisted_ips=["192.0.2.0/24"]
    )
    for address, kind in [("192.0.2.7", "none"), ("198.51.100.7", "ip_not_allowed")] * 2:
        data = world.tab.ask(ORGANIZATIONS, REMOTE_ADDR=address).json()["data"]
        assert data[0]["eligibility_restriction"]["type"] == kind
        token = world.tab.ask(TOKEN, REMOTE_ADDR=address).json()["data"]["token"]
        claims = jwt.decode(token, options={"verify_signature": False})
        assert bool(claims["organization"]) is (kind == "none")


def test_a_sign_in_that_expires_meanwhile_is_no_longer_shown(world: World) -> None:
    colleague = UserFactory.create(deployment=world.deployment)
    sessions.sign_in(world.session, user=colleague, expires_at=world.session.expires_at)
    sessions.switch_sign_in(world.session, world.session.sign_ins.get(user=world.user).pk)
    assert len(world.tab.poll(SESSION)["signins"]) == 2
    SignIn.objects.filter(user=colleague).update(expires_at=timezone.now())
    assert [one["user_id"] for one in world.tab.poll(SESSION)["signins"]] == [str(world.user.pk)]


def switch_to_a_colleague(world: World) -> None:
    session = Session.objects.get(pk=world.session.pk)
    sessions.switch_sign_in(session, session.sign_ins.exclude(user=world.user).get().pk)


@pytest.mark.parametrize("change", [switch_to_a_colleague, hide_private_metadata])
@pytest.mark.parametrize("path", [SESSION, ME, ORGANIZATIONS, DEPLOYMENT])
def test_what_changes_during_a_renewal_leaves_no_answer_of_two_moments(
    world: World, path: str, change: Change, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something changes right after the token has been renewed: the answer is as of after that."""
    sign_somebody_in(world)
    renew = sessions.renew

    def renew_and_change(session: Session, *args: Any, **options: Any) -> str | None:
        renewed = renew(session, *args, **options)
        patch.setattr(sessions, "renew", renew)
        change(world)
        return renewed

    client = ApiClient(world.deployment, token=sessions.session_token(world.session))
    client.get(path)
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "renew", renew_and_change)
        settings.USER_SESSION_RENEW_AFTER = timedelta(0)
        first = client.get(path)
    settings.USER_SESSION_RENEW_AFTER = timedelta(minutes=15)
    assert first.content == Tab(world.user, world.session).ask(path).content
    for _ in range(3):
        assert client.get(path).content == first.content
        assert client.get(path, HTTP_IF_NONE_MATCH=first.headers["ETag"]).status_code == 304


def test_attempts_that_are_over_are_not_shown(world: World) -> None:
    begin_a_sign_in(world)
    assert len(world.tab.poll(SESSION)["signin_attempts"]) == 1
    for over in (
        {"failures": signing_in.MAX_CODE_FAILURES},
        {"completed_at": timezone.now()},
        {"expires_at": timezone.now()},
    ):
        SignInAttempt.objects.all().delete()
        begin_a_sign_in(world)
        SignInAttempt.objects.update(**over)
        assert world.tab.poll(SESSION)["signin_attempts"] == []
    begin_a_sign_up(world)
    assert len(world.tab.poll(SESSION)["signup_attempts"]) == 1
    SignUpAttempt.objects.update(completed_at=timezone.now())
    assert world.tab.poll(SESSION)["signup_attempts"] == []
