"""Each polled endpoint asks the database once, and for an unchanged answer reads little."""

from __future__ import annotations

from typing import Any, cast

import pytest
from django.db import connection

from accounts.authentication import sessions
from organizations.models import UserSegment
from tests.support.api import ApiClient
from tests.support.database import round_trips
from tests.support.factories import OrganizationFactory, SegmentFactory, UserFactory, join_organization
from tests.support.polled import DEPLOYMENT, ME, ORGANIZATIONS, POLLED, SESSION, TOKEN, World, took_the_fast_path


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
