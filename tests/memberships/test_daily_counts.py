"""The counts a day of new members, and of users whom a rule keeps out."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.models import Sum

from accounts import counting
from accounts.counting import Kind
from accounts.models import DailyCount, Deployment, User
from api.networks import parse_address
from memberships.explaining import explain
from memberships.models import OrganizationMembership
from tests.support.api import ApiClient
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    UserFactory,
    confirmed_authenticator,
    member_of_new_workspace,
)

HERE, ELSEWHERE = "192.0.2.7", "198.51.100.7"
IP = {"enable_ip_restriction": True, "whitelisted_ips": [f"{ELSEWHERE}/32"]}


@pytest.fixture(autouse=True)
def nothing_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_pending", deque(maxlen=counting.MAX_PENDING))


def kept_out(deployment: Deployment) -> dict[str, int]:
    """The users whom a rule has kept out so far, by rule."""
    counting.flush()
    rows = DailyCount.objects.filter(deployment=deployment).exclude(kind=Kind.NEW_MEMBERS)
    return dict(rows.values_list("kind", "number"))


# New members


def test_new_members_are_those_of_the_rows_by_the_day_they_began(deployment: Deployment) -> None:
    other = DeploymentFactory.create()
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    connection.cursor().execute("SET LOCAL TIME ZONE 'Pacific/Auckland'")
    for of in (deployment, other):
        organizations = OrganizationFactory.create_batch(2, deployment=of)
        users = UserFactory.create_batch(3, deployment=of)
        OrganizationMembership.objects.create(organization=organizations[0], user=users[0])
        OrganizationMembership.objects.bulk_create(
            OrganizationMembership(
                organization=organization, deployment=of, user=user, created_at=midnight - timedelta(seconds=number)
            )
            for organization in organizations[1:]
            for number, user in enumerate(users)
        )
    connection.cursor().execute("SET LOCAL TIME ZONE 'UTC'")
    for of in (deployment, other):
        days = OrganizationMembership.objects.filter(deployment=of).values_list("created_at", flat=True)
        rows = DailyCount.objects.filter(deployment=of).values("day").annotate(sum=Sum("number"))
        expected = [at.astimezone(UTC).date() for at in days]
        assert {row["day"]: row["sum"] for row in rows} == {day: expected.count(day) for day in expected}
        assert len(rows) == 3


@pytest.mark.django_db(transaction=True)
def test_who_joins_waits_for_no_other_transaction_that_counts() -> None:
    deployment = DeploymentFactory.create()
    first, second = OrganizationFactory.create_batch(2, deployment=deployment)
    ada, bo = UserFactory.create_batch(2, deployment=deployment)
    OrganizationMembership.objects.create(organization=first, user=ada)
    with psycopg.connect(**connection.get_connection_params()) as importing:
        importing.execute(
            "INSERT INTO memberships_organizationmembership (organization_id, user_id, deployment_id)"
            " VALUES (%s, %s, %s)",
            [second.pk, ada.pk, deployment.pk],
        )
        connection.cursor().execute("SET lock_timeout = '100ms'")
        OrganizationMembership.objects.create(organization=first, user=bo)
    connection.cursor().execute("RESET lock_timeout")
    assert DailyCount.objects.aggregate(sum=Sum("number")) == {"sum": 3}


# Users kept out


def test_the_list_counts_a_user_once_for_each_rule_however_often(user: User) -> None:
    for values in (IP, IP, {"enforce_2fa": True}, IP | {"enforce_2fa": True}, {}):
        member_of_new_workspace(user, **values)
    client = ApiClient(user.deployment, user)
    fast = [hasattr(client.get(REMOTE_ADDR=HERE), "took_the_fast_path") for _ in range(3)]
    assert fast == [False, True, True]
    rules = [Kind.IP_NOT_ALLOWED, Kind.MFA_REQUIRED, Kind.IP_AND_MFA_REQUIRED]
    assert kept_out(user.deployment) == dict.fromkeys(rules, 1)
    client.get(REMOTE_ADDR=ELSEWHERE)  # where MFA alone is missing
    assert kept_out(user.deployment) == dict.fromkeys(rules, 1)


@pytest.mark.parametrize("is_fast", [False, True])
def test_both_ways_of_a_poll_count_users_kept_out(
    user: User, is_fast: bool, django_capture_on_commit_callbacks: Any
) -> None:
    member_of_new_workspace(user, **IP)
    client = ApiClient(user.deployment, user)
    for _ in range(2 if is_fast else 0):
        client.get(REMOTE_ADDR=ELSEWHERE)
    assert kept_out(user.deployment) == {}
    with django_capture_on_commit_callbacks(execute=True):
        assert hasattr(client.get(REMOTE_ADDR=HERE), "took_the_fast_path") == is_fast
    assert kept_out(user.deployment) == {Kind.IP_NOT_ALLOWED: 1}


def test_a_refused_switch_counts_and_an_entry_does_not(user: User) -> None:
    membership = member_of_new_workspace(user, enforce_2fa=True)
    client = ApiClient(user.deployment, user)
    query = f"workspace_id={membership.workspace_id}"
    assert client.post("/session/switch-workspace", None, query).status_code == 403
    assert kept_out(user.deployment) == {Kind.MFA_REQUIRED: 1}
    other = UserFactory.create(deployment=user.deployment)
    confirmed_authenticator(other)
    membership = member_of_new_workspace(other, enforce_2fa=True)
    query = f"workspace_id={membership.workspace_id}"
    assert ApiClient(user.deployment, other).post("/session/switch-workspace", None, query).status_code == 200
    assert kept_out(user.deployment) == {Kind.MFA_REQUIRED: 1}


def test_staff_who_look_for_a_reason_count_nobody(user: User) -> None:
    member_of_new_workspace(user, **IP)
    explain(user, address=parse_address(HERE))
    assert kept_out(user.deployment) == {}
