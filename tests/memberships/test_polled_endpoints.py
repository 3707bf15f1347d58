"""Each polled endpoint: one statement, the values that the database holds, and at once any change of them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any, cast

import jwt
import orjson
import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.authentication import sessions
from accounts.credentials import mfa
from accounts.models import Authenticator, Deployment, Session, SignIn, SignInAttempt, SignUpAttempt, User
from accounts.sign_in import signing_in
from accounts.tokens import keys
from accounts.tokens.session_tokens import sign_session_token
from api.answers import timestamp
from memberships.models import (
    ActiveMembership,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import Organization, OrganizationRole, Segment, UserSegment, Workspace, WorkspaceRole
from tests.support.api import ApiClient
from tests.support.database import round_trips
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    SegmentFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    backup_code,
    confirmed_authenticator,
    join,
    join_organization,
    session_of,
)

SESSION = "/session"
ORGANIZATIONS = "/me/organization-memberships"
ME = "/me"
DEPLOYMENT = "/deployment"
TOKEN = "/session/token"
POLLED = [SESSION, ORGANIZATIONS, ME, DEPLOYMENT, TOKEN]


def took_the_fast_path(answer: Any) -> bool:
    return hasattr(answer, "took_the_fast_path")


class Tab:
    """A tab that polls: it sends the ETag of the answer that it has, and keeps that answer for a 304."""

    def __init__(self, user: User, session: Session | None = None) -> None:
        self.session = session or session_of(user)
        token = sign_session_token(self.session, expires_at=self.session.expires_at)
        self.client = ApiClient(user.deployment, token=token)
        self._kept: dict[str, Any] = {}

    def ask(self, path: str, **headers: str) -> Any:
        return self.client.get(path, **headers)

    def poll(self, path: str) -> Any:
        """``data`` of the newest answer; of a token its claims."""
        kept = self._kept.get(path)
        answer = self.ask(path, HTTP_IF_NONE_MATCH=kept.headers["ETag"] if kept is not None else '""')
        if answer.status_code != 304:
            self._kept[path] = answer
        data = self._kept[path].json().get("data")
        if path == TOKEN and data is not None:
            return jwt.decode(data["token"], options={"verify_signature": False})
        return data

    def is_fast(self, path: str) -> bool:
        return took_the_fast_path(self.ask(path))


class World:
    """Somebody who acts in an organization and a workspace of it, with all that an answer can show."""

    def __init__(self) -> None:
        deployment = DeploymentFactory.create()
        self.user = user = UserFactory.create(deployment=deployment, first_name="Ada", public_metadata={"n": 0})
        self.organization = OrganizationFactory.create(deployment=deployment, private_metadata={"plan": "team"})
        self.workspace = WorkspaceFactory.create(organization=self.organization)
        self.organization_role = OrganizationRoleFactory.create(deployment=deployment, permissions=["order:read"])
        self.role = WorkspaceRoleFactory.create(deployment=deployment, permissions=["shift:read"])
        self.membership = join(user, self.workspace, self.role)
        self.organization_membership = join_organization(user, self.organization, self.organization_role)
        join_organization(user, OrganizationFactory.create(deployment=deployment))
        self.segment = SegmentFactory.create(deployment=deployment, type="user")
        UserSegment.objects.create(user=user, segment=self.segment)
        self.session = session_of(user)
        ActiveMembership.objects.create(
            sign_in=self.session.sign_ins.get(),
            user=user,
            organization_membership=self.organization_membership,
            workspace_membership=self.membership,
        )
        self.tab = Tab(user, self.session)

    @property
    def deployment(self) -> Deployment:
        return self.user.deployment


@pytest.fixture(scope="module")
def shared_world(shared_rows: None) -> World:
    return World()


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    """It has polled, so that answers are cached."""
    world = deepcopy(shared_world)
    for path in POLLED * 3:
        world.tab.poll(path)
    return world


# One statement


@pytest.mark.parametrize("path", POLLED)
def test_it_takes_one_round_trip_once_warm(world: World, path: str) -> None:
    with round_trips(1):
        answer = world.tab.ask(path)
    assert (answer.status_code, world.tab.is_fast(path)) == (200, True)


@pytest.mark.parametrize("path", [path for path in POLLED if path != TOKEN])
def test_an_unchanged_answer_takes_one_round_trip(world: World, path: str) -> None:
    etag = world.tab.ask(path).headers["ETag"]
    with round_trips(1):
        assert world.tab.ask(path, HTTP_IF_NONE_MATCH=etag).status_code == 304


@pytest.mark.parametrize("path", [SESSION, DEPLOYMENT])
def test_a_visitor_costs_one_round_trip(world: World, path: str) -> None:
    ApiClient(world.deployment).get(path)  # the hour of the first one's token is stored
    visitor = ApiClient(world.deployment)
    with round_trips(1):
        assert visitor.get(path).status_code == 200  # with a new session
    for _ in range(2):
        with round_trips(1):
            assert took_the_fast_path(visitor.get(path))


def scans_of_addresses() -> int:
    """The number of times that this transaction has looked into the table of e-mail addresses, of all accounts."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_scan + idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'accounts_emailaddress'"
        )
        (scans,) = cast(Any, cursor.fetchone())
    return int(scans)


@pytest.mark.parametrize("path", [SESSION, ME])
def test_an_unchanged_answer_reads_nothing_of_the_account(world: World, path: str) -> None:
    etag = world.tab.ask(path).headers["ETag"]
    before = scans_of_addresses()
    assert world.tab.ask(path, HTTP_IF_NONE_MATCH=etag).status_code == 304
    assert scans_of_addresses() == before
    assert world.tab.ask(path).status_code == 200
    assert scans_of_addresses() > before


def test_more_sign_ins_segments_and_organizations_cost_no_more(world: World) -> None:
    for _ in range(4):
        colleague = UserFactory.create(deployment=world.deployment)
        sessions.sign_in(world.session, user=colleague, expires_at=world.session.expires_at)
        segment = SegmentFactory.create(deployment=world.deployment, type="user")
        UserSegment.objects.create(user=world.user, segment=segment)
        join_organization(world.user, OrganizationFactory.create(deployment=world.deployment), world.organization_role)
    sessions.switch_sign_in(world.session, world.session.sign_ins.get(user=world.user).pk)
    world.tab.ask(ORGANIZATIONS)
    for path in POLLED:
        with round_trips(1):
            world.tab.ask(path)
    assert len(world.tab.poll(SESSION)["signins"]) == 5
    assert len(world.tab.poll(ORGANIZATIONS)) == 6


# Never stale


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


def sign_somebody_in(world: World) -> None:
    colleague = UserFactory.create(deployment=world.deployment)
    sessions.sign_in(world.session, user=colleague, expires_at=world.session.expires_at)
    world.session.active_sign_in = world.session.sign_ins.get(user=world.user)
    world.session.save()


def begin_a_sign_in(world: World) -> None:
    SignInAttempt.objects.create(
        deployment=world.deployment,
        session=world.session,
        user=world.user,
        method="plain_email",
        expires_at=timezone.now() + timedelta(minutes=5),
    )


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


def rotate_the_keys(world: World) -> None:
    keys.rotate_keys(world.deployment)


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


# The values that the database holds, read by other means

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
metadata = st.dictionaries(
    names, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | names | st.lists(names, max_size=2), max_size=3
)


def expected_user(user: User) -> dict[str, Any]:
    """The values of a ``CurrentUser`` that depend on rows."""
    methods = mfa.available_methods(user)
    authenticator = Authenticator.objects.filter(user=user, confirmed_at__isnull=False).first()
    return {
        "id": str(user.pk),
        "first_name": user.first_name,
        "last_name": user.last_name,
        "username": user.username,
        "primary_email_address_id": str(user.email_addresses.get(is_primary=True).pk) if user.email else "",
        "authenticators": [{"id": str(authenticator.pk), "created_at": timestamp(authenticator.created_at)}]
        if authenticator
        else [],
        "backup_codes_generated": "backup_code" in methods,
        "has_password": bool(user.password),
        "public_metadata": user.public_metadata,
        "segments": [
            {
                "id": str(segment.pk),
                "created_at": timestamp(segment.created_at),
                "updated_at": timestamp(segment.updated_at),
                "deployment_id": str(segment.deployment_id),
                "name": segment.name,
                "type": "user",
            }
            for segment in Segment.objects.filter(user_segments__user=user).order_by("id")
        ],
    }


def expected_sign_in(row: SignIn) -> dict[str, Any]:
    active = ActiveMembership.objects.filter(sign_in=row).first() or ActiveMembership()
    return {
        "id": str(row.pk),
        "user_id": str(row.user_id),
        "active_organization_membership_id": str(active.organization_membership_id or ""),
        "active_workspace_membership_id": str(active.workspace_membership_id or ""),
        "expiresAt": timestamp(row.expires_at),
        "lastActiveAt": timestamp(row.last_active_at or row.created_at),
        "ipAddress": row.ip_address or "",
        "browser": row.user_agent,
    }


def assert_holds(data: dict[str, Any], expected: dict[str, Any]) -> None:
    assert {name: data[name] for name in expected} == expected


@pytest.mark.django_db
@settings(max_examples=20)
@given(
    users=st.lists(
        st.fixed_dictionaries(
            {
                "first_name": names,
                "last_name": names,
                "public_metadata": metadata,
                "password": st.sampled_from(["", "x"]),
                "disabled": st.booleans(),
            }
        ),
        min_size=1,
        max_size=3,
    ),
    has=st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 2)), min_size=3, max_size=3),
    address=st.sampled_from([None, "192.0.2.7", "2001:db8::7"]),
    active=st.integers(0, 2),
)
def test_the_session_and_its_users_are_as_the_rows_are(
    deployment: Deployment, users: list[dict[str, Any]], has: list[Any], address: str | None, active: int
) -> None:
    rows = [UserFactory.create(deployment=deployment, **values) for values in users]
    for row, (has_authenticator, has_codes, segments) in zip(rows, has, strict=False):
        if has_authenticator:
            confirmed_authenticator(row)
        if has_codes:
            backup_code(row)
        for _ in range(segments):
            UserSegment.objects.create(user=row, segment=SegmentFactory.create(deployment=deployment, type="user"))
    session = session_of(rows[0])
    for row in rows[1:]:
        sessions.sign_in(session, user=row, expires_at=session.expires_at, user_agent="agent")
    SignIn.objects.filter(session=session).update(ip_address=address)
    session.active_sign_in = session.sign_ins.order_by("id")[active % len(rows)]
    session.save()
    begin = SignInAttempt.objects.create(
        deployment=deployment,
        session=session,
        user=rows[0],
        method="plain_email",
        expires_at=timezone.now() + timedelta(minutes=5),
    )
    tab = Tab(rows[0], session)
    for _ in range(2):  # the view, then the fast path
        data = tab.ask(SESSION).json()["data"]
        live = [one for one in session.sign_ins.order_by("created_at", "id") if not one.user.disabled]
        assert len(data["signins"]) == len(live)
        for shown, one in zip(data["signins"], live, strict=True):
            assert_holds(shown, expected_sign_in(one))
            assert_holds(shown["user"], expected_user(one.user))
        activated = [shown for shown in data["signins"] if shown["id"] == str(session.active_sign_in_id)]
        assert data["active_signin"] == (activated[0] if activated else None)
        attempts = [] if rows[0].disabled else [str(begin.pk)]
        assert [one["id"] for one in data["signin_attempts"]] == attempts
        for attempt in data["signin_attempts"]:
            assert attempt["available_2fa_methods"] == mfa.available_methods(rows[0])
        me = tab.ask(ME)
        user = session.active_sign_in.user
        if user.disabled:
            assert me.status_code == 401
        else:
            assert_holds(me.json()["data"], expected_user(user))
            assert data["active_signin"]["user"] == me.json()["data"]


def test_numbers_in_metadata_are_as_they_were_written(user: User) -> None:
    User.objects.filter(pk=user.pk).update(public_metadata={"big": 2**70, "small": 1.10})
    for _ in range(2):
        content = ApiClient(user.deployment, user).get(ME).content
        assert b"1180591620717411303424" in content
        assert orjson.loads(content)["data"]["public_metadata"]["small"] == 1.1


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


def test_nothing_of_another_deployment_is_in_any_answer(world: World) -> None:
    other = World()
    for path in POLLED:
        answer = other.tab.client.get(path, HTTP_HOST=world.deployment.host)
        assert answer.status_code == (200 if path in (SESSION, DEPLOYMENT) else 401)
        assert other.user.email.encode() not in answer.content
