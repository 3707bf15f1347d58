"""The session and its users have the values that the database holds, read by other means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.authentication import sessions
from accounts.credentials import mfa
from accounts.models import Authenticator, Deployment, SignIn, SignInAttempt, User
from api.answers import timestamp
from memberships.models import ActiveMembership
from organizations.models import Segment, UserSegment
from tests.support.api import ApiClient
from tests.support.factories import SegmentFactory, UserFactory, backup_code, confirmed_authenticator, session_of
from tests.support.polled import DEPLOYMENT, ME, POLLED, SESSION, Tab, World

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


def test_nothing_of_another_deployment_is_in_any_answer(world: World) -> None:
    other = World()
    for path in POLLED:
        answer = other.tab.client.get(path, HTTP_HOST=world.deployment.host)
        assert answer.status_code == (200 if path in (SESSION, DEPLOYMENT) else 401)
        assert other.user.email.encode() not in answer.content
