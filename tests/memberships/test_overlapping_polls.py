"""No answer of the other polled endpoints is stale when transactions overlap, or when time passes.

The first place is the viewer's own, as is GET /me.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
import pytest
from django.utils import timezone
from hypothesis import given, settings

from accounts.authentication import sessions
from accounts.models import Session, SignInAttempt, User
from memberships.models import ActiveMembership
from organizations.models import Segment, UserSegment
from tests.memberships.test_overlapping_writers import interleavings, taken
from tests.support.factories import (
    OrganizationFactory,
    OrganizationRoleFactory,
    SegmentFactory,
    UserFactory,
    join_organization,
    session_of,
)
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
    took_the_fast_path,
)

pytestmark = pytest.mark.django_db(transaction=True)


class Place(NamedTuple):
    """The ids of a sign-in with its user, and of a membership of the session's first user."""

    user: int
    sign_in: int
    segment: int
    organization: int
    membership: int
    role: int


def place_of(session: Session, viewer: User) -> Place:
    user = viewer if not session.sign_ins.exclude(user=viewer) and not UserSegment.objects.exists() else None
    if user is None:
        user = UserFactory.create(deployment=viewer.deployment)
        sessions.sign_in(session, user=user, expires_at=session.expires_at)
        sessions.switch_sign_in(session, session.sign_ins.get(user=viewer).pk)
    sign_in = session.sign_ins.get(user=user)
    segment = SegmentFactory.create(deployment=viewer.deployment, type=Segment.Type.USER)
    UserSegment.objects.create(user=user, segment=segment)
    organization = OrganizationFactory.create(deployment=viewer.deployment, private_metadata={"plan": "team"})
    role = OrganizationRoleFactory.create(deployment=viewer.deployment, permissions=["order:read"])
    membership = join_organization(viewer, organization, role)
    active = membership if user == viewer else None
    ActiveMembership.objects.create(sign_in=sign_in, user=user, organization_membership=active)
    return Place(user.pk, sign_in.pk, segment.pk, organization.pk, membership.pk, role.pk)


CHANGES = {
    "a user's name": "UPDATE accounts_user SET first_name = %(text)s WHERE id = %(user)s",
    "a user's metadata": """
        UPDATE accounts_user SET public_metadata = jsonb_build_object('text', %(text)s::text) WHERE id = %(user)s
    """,
    "a verified address": "UPDATE accounts_emailaddress SET verified_at = now() WHERE user_id = %(user)s",
    "a password": "UPDATE accounts_user SET password = %(text)s WHERE id = %(user)s",
    "backup codes": "INSERT INTO accounts_backupcode (user_id, code_hash) VALUES (%(user)s, %(text)s)",
    "an authenticator": """
        INSERT INTO accounts_authenticator (user_id, secret, confirmed_at) VALUES (%(user)s, '', now())
    """,
    "a segment's name": "UPDATE organizations_segment SET name = %(text)s WHERE id = %(segment)s",
    "a segment that is left": "DELETE FROM organizations_usersegment WHERE user_id = %(user)s",
    "a sign-in's browser": """
        UPDATE accounts_signin SET user_agent = 'agent-' || replace(%(text)s, ':', '.') WHERE id = %(sign_in)s
    """,
    "an organization that is left in the session": """
        UPDATE memberships_activemembership SET organization_membership_id = NULL WHERE sign_in_id = %(sign_in)s
    """,
    "an organization's name": "UPDATE organizations_organization SET name = %(text)s WHERE id = %(organization)s",
    "a membership's metadata": """
        UPDATE memberships_organizationmembership SET public_metadata = jsonb_build_object('text', %(text)s::text)
        WHERE id = %(membership)s
    """,
    "a role's permissions": """
        UPDATE organizations_organizationrole SET permissions = ARRAY[%(text)s] WHERE id = %(role)s
    """,
    "a role that is taken": "DELETE FROM memberships_organizationmembershiprole WHERE role_id = %(role)s",
    "a membership that ends": "DELETE FROM memberships_organizationmembership WHERE id = %(membership)s",
}
IN_COMMON = "the deployment"
CHANGES[IN_COMMON] = """
    UPDATE accounts_deployment SET private_metadata_audience = 'nobody', name = %(text)s
    WHERE id = (SELECT deployment_id FROM organizations_organization WHERE id = %(organization)s)
"""
SIGN_INS = """
    SELECT
        own.first_name, sign_in.user_agent,
        EXISTS (SELECT 1 FROM accounts_authenticator WHERE user_id = own.id),
        ARRAY (
            SELECT segment.name::text FROM organizations_usersegment
            JOIN organizations_segment segment ON segment.id = segment_id WHERE user_id = own.id
        ),
        coalesce(active.organization_membership_id::text, '')
    FROM accounts_signin sign_in JOIN accounts_user own ON own.id = sign_in.user_id
    JOIN memberships_activemembership active ON active.sign_in_id = sign_in.id
    WHERE sign_in.session_id = %s ORDER BY sign_in.id
"""
MEMBERSHIPS = """
    SELECT
        membership.id::text, organization.name, membership.public_metadata->>'text',
        (
            SELECT organization.private_metadata->>'plan' FROM accounts_deployment
            WHERE id = organization.deployment_id AND private_metadata_audience <> 'nobody'
        ),
        ARRAY (
            SELECT unnest(role.permissions)::text FROM memberships_organizationmembershiprole given
            JOIN organizations_organizationrole role ON role.id = given.role_id
            WHERE given.membership_id = membership.id
        )
    FROM memberships_organizationmembership membership
    JOIN organizations_organization organization ON organization.id = organization_id
    WHERE membership.user_id = %s ORDER BY membership.id
"""
ACTING = """
    SELECT membership.organization_id::text, ARRAY (
        SELECT unnest(role.permissions)::text FROM memberships_organizationmembershiprole given
        JOIN organizations_organizationrole role ON role.id = given.role_id WHERE given.membership_id = membership.id
    )
    FROM memberships_activemembership active
    JOIN memberships_organizationmembership membership ON membership.id = active.organization_membership_id
    WHERE active.user_id = %s
"""


OWN = """
    SELECT
        first_name, public_metadata->>'text', password <> '',
        EXISTS (SELECT 1 FROM accounts_emailaddress WHERE user_id = own.id AND verified_at IS NOT NULL),
        EXISTS (SELECT 1 FROM accounts_authenticator WHERE user_id = own.id),
        EXISTS (SELECT 1 FROM accounts_authenticator WHERE user_id = own.id)
        AND EXISTS (SELECT 1 FROM accounts_backupcode WHERE user_id = own.id),
        ARRAY (
            SELECT segment.name::text FROM organizations_usersegment
            JOIN organizations_segment segment ON segment.id = segment_id WHERE user_id = own.id
        )
    FROM accounts_user own WHERE id = %s
"""
SETTINGS = "SELECT name FROM accounts_deployment WHERE id = %s"


def committed(user: User, session: Session, reader: psycopg.Connection) -> list[Any]:
    """All that ``CHANGES`` change of the answers, as the database holds it: the oracle, which caches nothing."""
    return [
        reader.execute(SIGN_INS, [session.pk]).fetchall(),
        reader.execute(MEMBERSHIPS, [user.pk]).fetchall(),
        reader.execute(ACTING, [user.pk]).fetchone() or ("", []),
        reader.execute(OWN, [user.pk]).fetchone(),
        reader.execute(SETTINGS, [user.deployment_id]).fetchone(),
    ]


def shown(tab: Tab) -> list[Any]:
    """The same of the answers."""
    claims, own = tab.poll(TOKEN), tab.poll(ME)
    return [
        [
            (
                item["user"]["first_name"],
                item["browser"],
                bool(item["user"]["authenticators"]),
                [segment["name"] for segment in item["user"]["segments"]],
                item["active_organization_membership_id"],
            )
            for item in tab.poll(SESSION)["signins"]
        ],
        [
            (
                item["id"],
                item["organization"]["name"],
                item["public_metadata"].get("text"),
                item["organization"]["private_metadata"].get("plan"),
                [permission for role in item["roles"] for permission in role["permissions"]],
            )
            for item in tab.poll(ORGANIZATIONS)
        ],
        (claims["organization"], claims["organization_permissions"]),
        (
            own["first_name"],
            own["public_metadata"].get("text"),
            own["has_password"],
            own["primary_email_address"]["verified"],
            bool(own["authenticators"]),
            own["backup_codes_generated"],
            [segment["name"] for segment in own["segments"]],
        ),
        (tab.poll(DEPLOYMENT)["ui_settings"]["app_name"],),
    ]


@settings(max_examples=30)
@given(steps=interleavings(sorted(CHANGES.keys() - {IN_COMMON}), IN_COMMON))
def test_each_poll_shows_the_committed_state_under_any_interleaving(
    writers: list[psycopg.Connection], reader: psycopg.Connection, steps: list[tuple[int, str]]
) -> None:
    """Each writer has a place of its own, so none waits for another."""
    for writer in writers:
        writer.rollback()  # what an example that failed left behind
    UserSegment.objects.all().delete()
    user = UserFactory.create()
    session = session_of(user)
    places = {number: place_of(session, user) for number in sorted({number for number, _ in steps})}
    tab = Tab(user, session)
    for _ in range(3):
        assert shown(tab) == committed(user, session, reader)

    def change(writer: psycopg.Connection, number: int, name: str, text: str) -> None:
        writer.execute(CHANGES[name], {**places[number]._asdict(), "text": f"{number}:{text}"})

    for _ in taken(steps, writers, change):
        assert shown(tab) == committed(user, session, reader)


OVER_IN = timedelta(seconds=4)


def the_session_ends(world: World) -> None:
    Session.objects.filter(pk=world.session.pk).update(expires_at=timezone.now() + OVER_IN)


def the_sign_in_ends(world: World) -> None:
    world.session.sign_ins.update(expires_at=timezone.now() + OVER_IN)


def a_colleagues_sign_in_ends(world: World) -> None:
    sign_somebody_in(world)
    world.session.sign_ins.exclude(user=world.user).update(expires_at=timezone.now() + OVER_IN)


def a_sign_in_attempt_ends(world: World) -> None:
    begin_a_sign_in(world)
    SignInAttempt.objects.filter(session=world.session).update(expires_at=timezone.now() + OVER_IN)


def test_the_next_poll_shows_what_ends_by_time_alone() -> None:
    cases = {
        the_session_ends: {*POLLED},
        the_sign_in_ends: {*POLLED} - {DEPLOYMENT},
        a_colleagues_sign_in_ends: {SESSION},
        a_sign_in_attempt_ends: {SESSION},
    }
    worlds = {change: World() for change in cases}
    etags = {}
    for change, world in worlds.items():
        change(world)
        etags[change] = {path: world.tab.ask(path).headers["ETag"] for path in POLLED * 2}
    for change, world in worlds.items():
        answers = {path: world.tab.ask(path, HTTP_IF_NONE_MATCH=etags[change][path]) for path in POLLED}
        assert {path: (answer.status_code, took_the_fast_path(answer)) for path, answer in answers.items()} == {
            path: (200 if path == TOKEN else 304, True) for path in POLLED
        }, change
    time.sleep(OVER_IN.total_seconds())
    for change, paths in cases.items():
        for path in POLLED:
            refused = 200 if path in (SESSION, DEPLOYMENT) else 401
            unchanged = 200 if path == TOKEN else 304
            answer = worlds[change].tab.ask(path, HTTP_IF_NONE_MATCH=etags[change][path])
            assert answer.status_code == (refused if path in paths else unchanged), (change, path)
