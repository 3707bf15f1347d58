"""member_count is the number of membership rows, whoever writes them and however."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest
from django.db import connection, connections, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import Deployment, User
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, Workspace
from tests.support.cases import each
from tests.support.database import Update, each_update, execute, insert_by_sql, insert_in_bulk
from tests.support.factories import DeploymentFactory, OrganizationFactory, UserFactory, WorkspaceFactory

JOIN_ORGANIZATIONS = "INSERT INTO memberships_organizationmembership (deployment_id, organization_id, user_id) "
JOIN_WORKSPACES = "INSERT INTO memberships_workspacemembership (organization_id, workspace_id, user_id) "


class Campus:
    """Three organizations with a workspace each, and four users who are members of nothing."""

    def __init__(self) -> None:
        self.deployment: Deployment = DeploymentFactory.create()
        self.organizations: list[Organization] = OrganizationFactory.create_batch(3, deployment=self.deployment)
        self.workspaces: list[Workspace] = [WorkspaceFactory.create(organization=place) for place in self.organizations]
        self.users: list[User] = UserFactory.create_batch(4, deployment=self.deployment)

    def everybody_joins(self) -> None:
        """All users join all organizations and workspaces, in one statement for each of the two tables."""
        execute(
            f"{JOIN_ORGANIZATIONS} SELECT organization.deployment_id, organization.id, person.id "
            "FROM organizations_organization organization JOIN accounts_user person USING (deployment_id)"
        )
        execute(
            f"{JOIN_WORKSPACES} SELECT organization_id, workspace.id, user_id FROM organizations_workspace workspace "
            "JOIN memberships_organizationmembership USING (organization_id)"
        )

    def counts(self) -> tuple[list[int], list[int]]:
        """The counts of the organizations and of the workspaces, which must be those of their rows."""
        for table, kind in (
            ("memberships_organizationmembership", "organization"),
            ("memberships_workspacemembership", "workspace"),
        ):
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT id, member_count, (SELECT count(*) FROM {table} WHERE {kind}_id = place.id) "
                    f"FROM organizations_{kind} place"
                )
                assert [row for row in cursor.fetchall() if row[1] != row[2]] == []
        return (
            [Organization.objects.get(pk=place.pk).member_count for place in self.organizations],
            [Workspace.objects.get(pk=place.pk).member_count for place in self.workspaces],
        )


@pytest.fixture
def campus(db: None) -> Campus:
    return Campus()


@pytest.fixture
def full_campus(campus: Campus) -> Campus:
    campus.everybody_joins()
    return campus


def test_joining_and_leaving_one_by_one_counts(campus: Campus) -> None:
    organization, workspace, user = campus.organizations[0], campus.workspaces[0], campus.users[0]
    in_organization = OrganizationMembership.objects.create(organization=organization, user=user)
    in_workspace = WorkspaceMembership.objects.create(workspace=workspace, user=user)
    OrganizationMembership.objects.create(organization=organization, user=campus.users[1])
    assert campus.counts() == ([2, 0, 0], [1, 0, 0])
    in_workspace.delete()
    assert campus.counts() == ([2, 0, 0], [0, 0, 0])
    in_organization.delete()
    assert campus.counts() == ([1, 0, 0], [0, 0, 0])


@pytest.mark.parametrize("insert", [insert_by_sql, insert_in_bulk])
def test_one_statement_counts_for_each_of_several_parents(campus: Campus, insert: Callable[..., None]) -> None:
    pairs = [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]
    organizations = [(campus.organizations[place], campus.users[user]) for place, user in pairs]
    insert(
        OrganizationMembership,
        *(
            {"deployment_id": campus.deployment.pk, "organization_id": organization.pk, "user_id": user.pk}
            for organization, user in organizations
        ),
    )
    insert(
        WorkspaceMembership,
        *(
            {
                "organization_id": campus.organizations[place].pk,
                "workspace_id": campus.workspaces[place].pk,
                "user_id": campus.users[user].pk,
            }
            for place, user in pairs[1:]
        ),
    )
    assert campus.counts() == ([2, 0, 3], [1, 0, 3])


def test_copy_counts(campus: Campus) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY memberships_organizationmembership (deployment_id, organization_id, user_id) FROM STDIN"
        ) as copy,
    ):
        for organization, user in product(campus.organizations[1:], campus.users):
            copy.write_row((campus.deployment.pk, organization.pk, user.pk))
    assert campus.counts() == ([0, 4, 4], [0, 0, 0])


def test_a_row_that_conflicts_is_not_counted(campus: Campus) -> None:
    organization = campus.organizations[0]
    OrganizationMembership.objects.create(organization=organization, user=campus.users[0])
    added = execute(
        f"{JOIN_ORGANIZATIONS} SELECT deployment_id, %s, id FROM accounts_user ON CONFLICT DO NOTHING",
        [organization.pk],
    )
    assert added == 3
    assert campus.counts()[0] == [4, 0, 0]


def test_an_upsert_counts_only_what_it_inserts(campus: Campus) -> None:
    organization = campus.organizations[0]
    OrganizationMembership.objects.create(organization=organization, user=campus.users[0])
    written = execute(
        f"{JOIN_ORGANIZATIONS} SELECT deployment_id, %s, id FROM accounts_user "
        "ON CONFLICT (organization_id, user_id) DO UPDATE SET public_metadata = '{}'",
        [organization.pk],
    )
    assert written == 4
    assert campus.counts()[0] == [4, 0, 0]


def test_one_statement_that_deletes_from_several_parents_counts(full_campus: Campus) -> None:
    execute(
        "DELETE FROM memberships_workspacemembership WHERE workspace_id = ANY(%s) AND user_id <> %s",
        [[workspace.pk for workspace in full_campus.workspaces[:2]], full_campus.users[0].pk],
    )
    assert full_campus.counts() == ([4, 4, 4], [1, 1, 4])


def test_a_statement_that_touches_no_row_changes_no_count(full_campus: Campus) -> None:
    assert execute("DELETE FROM memberships_organizationmembership WHERE false") == 0
    assert execute(f"{JOIN_ORGANIZATIONS} SELECT 1, 1, 1 WHERE false") == 0
    assert full_campus.counts() == ([4, 4, 4], [4, 4, 4])


def test_with_an_organization_membership_its_workspaces_stop_counting(full_campus: Campus) -> None:
    execute(
        "DELETE FROM memberships_organizationmembership WHERE organization_id = ANY(%s) AND user_id = ANY(%s)",
        [[place.pk for place in full_campus.organizations[1:]], [user.pk for user in full_campus.users[1:]]],
    )
    assert full_campus.counts() == ([4, 1, 1], [4, 1, 1])


def test_a_deleted_user_counts_nowhere(full_campus: Campus) -> None:
    full_campus.users[0].delete()
    assert full_campus.counts() == ([3, 3, 3], [3, 3, 3])


def test_a_deleted_workspace_does_not_change_the_others(full_campus: Campus) -> None:
    full_campus.workspaces.pop().delete()
    assert full_campus.counts() == ([4, 4, 4], [4, 4])


@pytest.mark.parametrize(
    ("table", "counts"),
    [
        ("memberships_workspacemembership", ([4, 4, 4], [0, 0, 0])),
        ("memberships_organizationmembership", ([0, 0, 0], [0, 0, 0])),
    ],
)
def test_truncating_counts(full_campus: Campus, table: str, counts: tuple[list[int], list[int]]) -> None:
    execute("SET CONSTRAINTS ALL IMMEDIATE")  # PostgreSQL truncates no table with checks pending
    execute(f"TRUNCATE {table} CASCADE")
    assert full_campus.counts() == counts


def test_a_change_that_is_rolled_back_does_not_count(campus: Campus) -> None:
    with transaction.atomic():
        campus.everybody_joins()
        assert campus.counts() == ([4, 4, 4], [4, 4, 4])
        transaction.set_rollback(True)
    assert campus.counts() == ([0, 0, 0], [0, 0, 0])


@each_update
@each("lie", [0, 5, 2_000_000])
def test_nobody_else_writes_the_count(full_campus: Campus, update: Update, lie: int) -> None:
    update(full_campus.organizations[0], member_count=lie, name="Renamed")
    update(full_campus.workspaces[0], member_count=lie)
    assert full_campus.counts() == ([4, 4, 4], [4, 4, 4])
    assert Organization.objects.get(pk=full_campus.organizations[0].pk).name == "Renamed"


@pytest.mark.parametrize("insert", [insert_by_sql, insert_in_bulk])
def test_a_new_place_starts_at_zero_despite_a_given_count(campus: Campus, insert: Callable[..., None]) -> None:
    organization = campus.organizations[0]
    insert(Organization, {"deployment_id": campus.deployment.pk, "name": "Liar", "member_count": 7})
    insert(Workspace, {"organization_id": organization.pk, "name": "Liar", "member_count": 7})
    assert Organization.objects.get(name="Liar").member_count == 0
    assert Workspace.objects.get(name="Liar").member_count == 0


def test_saving_a_form_that_was_loaded_before_somebody_joined_keeps_the_count(campus: Campus) -> None:
    stale = Organization.objects.get(pk=campus.organizations[0].pk)
    campus.everybody_joins()
    stale.name = "Renamed"
    stale.save()
    assert campus.counts() == ([4, 4, 4], [4, 4, 4])
    assert Organization.objects.get(pk=stale.pk).name == "Renamed"


def test_a_new_member_is_no_change_of_the_place(campus: Campus) -> None:
    def changed() -> list[Any]:
        return [
            *Organization.objects.order_by("id").values_list("updated_at", flat=True),
            *Workspace.objects.order_by("id").values_list("updated_at", flat=True),
        ]

    before = changed()
    campus.everybody_joins()
    assert changed() == before


Pairs = set[tuple[int, int]]
"""(place, user), by their index."""

_steps = st.tuples(
    st.sampled_from(["organization", "workspace"]),
    st.sampled_from(["join", "leave"]),
    st.sampled_from(["one by one", "in bulk"]),
    st.sets(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1),
)


@pytest.mark.django_db
@settings(max_examples=40)
@given(st.lists(_steps, max_size=12))
def test_any_sequence_of_joins_and_leaves_counts(steps: list[tuple[str, str, str, Pairs]]) -> None:
    in_organization: Pairs = set()
    in_workspace: Pairs = set()
    with transaction.atomic():
        campus = Campus()
        for kind, action, how, pairs in steps:
            if action == "leave":
                _leave(campus, kind, pairs, how)
                in_workspace -= pairs  # with the organization, its workspace is left too
                in_organization -= pairs if kind == "organization" else set()
            else:
                if kind == "workspace":
                    pairs = pairs & in_organization
                members = in_organization if kind == "organization" else in_workspace
                _join(campus, kind, pairs - members if how == "one by one" else pairs, how)
                members |= pairs
        expected = tuple(
            [sum(place == index for place, _ in members) for index in range(3)]
            for members in (in_organization, in_workspace)
        )
        assert campus.counts() == expected
        transaction.set_rollback(True)


def _join(campus: Campus, kind: str, pairs: Pairs, how: str) -> None:
    """Join; in bulk, those who are members already are among them."""
    members = [(campus.organizations[place], campus.workspaces[place], campus.users[user]) for place, user in pairs]
    if how == "one by one":
        for organization, workspace, user in members:
            if kind == "organization":
                OrganizationMembership.objects.create(organization=organization, user=user)
            else:
                WorkspaceMembership.objects.create(workspace=workspace, user=user)
    elif members and kind == "organization":
        OrganizationMembership.objects.bulk_create(
            [
                OrganizationMembership(deployment=campus.deployment, organization=organization, user=user)
                for organization, _, user in members
            ],
            ignore_conflicts=True,
        )
    elif members:
        WorkspaceMembership.objects.bulk_create(
            [
                WorkspaceMembership(organization=organization, workspace=workspace, user=user)
                for organization, workspace, user in members
            ],
            ignore_conflicts=True,
        )


def _leave(campus: Campus, kind: str, pairs: Pairs, how: str) -> None:
    places = campus.organizations if kind == "organization" else campus.workspaces
    model = OrganizationMembership if kind == "organization" else WorkspaceMembership
    keys = [(places[place].pk, campus.users[user].pk) for place, user in pairs]
    if how == "one by one":
        for place, user in keys:
            for membership in model._base_manager.filter(**{kind: place, "user": user}):
                membership.delete()
    else:
        execute(
            f"DELETE FROM {model._meta.db_table} USING unnest(%s::bigint[], %s::bigint[]) gone (place, person) "
            f"WHERE {kind}_id = place AND user_id = person",
            [[place for place, _ in keys], [user for _, user in keys]],
        )


@pytest.mark.django_db(transaction=True)
def test_bulk_statements_in_opposite_orders_neither_deadlock_nor_miscount() -> None:
    threads, rounds = 4, 12
    campus = Campus()
    places = list(zip(campus.organizations, campus.workspaces, strict=True))
    members = [UserFactory.create_batch(5, deployment=campus.deployment) for _ in range(threads)]
    together = threading.Barrier(threads)

    def come_and_go(number: int) -> None:
        ordered = places if number % 2 else places[::-1]
        rows = [(organization, workspace, user) for organization, workspace in ordered for user in members[number]]
        users = [user.pk for user in members[number]]
        try:
            for round_ in range(rounds + 1):
                together.wait(timeout=300)
                insert_by_sql(
                    OrganizationMembership,
                    *(
                        {"deployment_id": campus.deployment.pk, "organization_id": organization.pk, "user_id": user.pk}
                        for organization, _, user in rows
                    ),
                )
                insert_by_sql(
                    WorkspaceMembership,
                    *(
                        {"organization_id": organization.pk, "workspace_id": workspace.pk, "user_id": user.pk}
                        for organization, workspace, user in rows
                    ),
                )
                if round_ == rounds:
                    break
                if round_ % 2:
                    execute("DELETE FROM memberships_workspacemembership WHERE user_id = ANY(%s)", [users])
                execute("DELETE FROM memberships_organizationmembership WHERE user_id = ANY(%s)", [users])
        except BaseException:
            together.abort()  # the others need not wait for this one
            raise
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(come_and_go, number) for number in range(threads)]:
            done.result()
    assert campus.counts() == ([20, 20, 20], [20, 20, 20])
