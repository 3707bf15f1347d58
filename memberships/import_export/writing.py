"""Writes the staged lines: missing memberships, roles, metadata. Rows that are right already stay untouched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from django.db import connection

FIRST_CHUNK, CHUNK = 1_000, 10_000
"""Lines per statement, so that progress can be seen."""


@dataclass
class Changes:
    """The number of rows of each kind that an import writes."""

    new_members_of_organizations: int = 0
    new_members_of_workspaces: int = 0
    roles_given: int = 0
    roles_taken: int = 0
    metadata_changed: int = 0

    def __str__(self) -> str:
        numbers = [(getattr(self, field.name), field.name.replace("_", " ")) for field in fields(self)]
        return ", ".join(f"{number:,} {_counted(name, number)}" for number, name in numbers if number) or "no change"


def _counted(name: str, number: int) -> str:
    """``name``, which is a plural, for ``number`` of them."""
    return name.replace("members", "member").replace("roles", "role") if number == 1 else name


def write(changes: Changes) -> Iterator[tuple[int, float]]:
    """Write the staged lines, adding up ``changes``; after each statement yields the current line, and the share
    of the work that is done.

    The places are locked first, in the order in which the triggers that count members lock them: two imports at once
    cannot deadlock on them.
    """
    with connection.cursor() as cursor:
        for statement in (_PLAN_BY_INDEX, *_LOCK):
            cursor.execute(statement)
        cursor.execute("SELECT coalesce(max(line), 0) FROM staged")
        (end,) = cursor.fetchone() or (0,)
        first = 1
        while first <= end:
            last = min(first + (CHUNK if first > 1 else FIRST_CHUNK) - 1, end)
            for number, (name, statement) in enumerate(_WRITE, start=1):
                cursor.execute(statement, {"first": first, "last": last})
                setattr(changes, name, getattr(changes, name) + cursor.rowcount)
                yield last, (first - 1 + (last - first + 1) * number / len(_WRITE)) / end
            if first == 1:
                _analyze_what_was_small(cursor)
            first = last + 1


_PLAN_BY_INDEX = "SET LOCAL enable_seqscan = off; DISCARD PLANS"
_TABLES = [f"memberships_{kind}membership{more}" for kind in ("organization", "workspace") for more in ("", "role")]


def _analyze_what_was_small(cursor: Any) -> None:
    """PostgreSQL plans for the tables as it last saw them, in triggers for as long as the connection lives.

    It would read a table that was nearly empty then as a whole for every line. One that is being vacuumed, or analyzed
    by another import, is left alone: it is locked until that ends.
    """
    cursor.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE oid = ANY (%s::text[]::regclass[]) AND reltuples < %s",
        [_TABLES, CHUNK],
    )
    if small := [name for (name,) in cursor]:
        cursor.execute(f"ANALYZE (SKIP_LOCKED) {', '.join(small)}; DISCARD PLANS")


_LOCK = [
    f"""
    SELECT 1 FROM organizations_{kind} WHERE id IN (SELECT {kind}_id FROM staged) ORDER BY id FOR NO KEY UPDATE
    """
    for kind in ("organization", "workspace")
]

_LINES = "line BETWEEN %(first)s AND %(last)s"

_JOIN_ORGANIZATIONS = f"""
    INSERT INTO memberships_organizationmembership (deployment_id, organization_id, user_id, public_metadata)
    SELECT deployment_id, organization_id, user_id,
        coalesce((array_agg(public_metadata) FILTER (WHERE workspace_id IS NULL))[1], '{{}}')
    FROM staged
    WHERE {_LINES} AND NOT EXISTS (
        SELECT 1 FROM memberships_organizationmembership membership
        WHERE membership.organization_id = staged.organization_id AND membership.user_id = staged.user_id
    )
    GROUP BY deployment_id, organization_id, user_id
    ORDER BY min(line)
    ON CONFLICT (organization_id, user_id) DO NOTHING
"""
_JOIN_WORKSPACES = f"""
    INSERT INTO memberships_workspacemembership (organization_id, workspace_id, user_id, public_metadata)
    SELECT organization_id, workspace_id, user_id, coalesce(public_metadata, '{{}}')
    FROM staged
    WHERE {_LINES} AND workspace_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM memberships_workspacemembership membership
        WHERE membership.workspace_id = staged.workspace_id AND membership.user_id = staged.user_id
    )
    ORDER BY line
    ON CONFLICT (workspace_id, user_id) DO NOTHING
"""


def _change_metadata(kind: str, condition: str) -> str:
    return f"""
        UPDATE memberships_{kind}membership membership SET public_metadata = staged.public_metadata
        FROM staged
        WHERE {_LINES} AND {condition} AND membership.{kind}_id = staged.{kind}_id
            AND membership.user_id = staged.user_id AND membership.public_metadata <> staged.public_metadata
    """


def _give_roles(kind: str) -> str:
    return f"""
        INSERT INTO memberships_{kind}membershiprole (membership_id, role_id)
        SELECT DISTINCT membership.id, role_id
        FROM staged
        JOIN staged_{kind}_role USING (line)
        JOIN memberships_{kind}membership membership
            ON membership.{kind}_id = staged.{kind}_id AND membership.user_id = staged.user_id
        WHERE {_LINES} AND NOT EXISTS (
            SELECT 1 FROM memberships_{kind}membershiprole given
            WHERE given.membership_id = membership.id AND given.role_id = staged_{kind}_role.role_id
        )
        ORDER BY membership.id, role_id
        ON CONFLICT (membership_id, role_id) DO NOTHING
    """


def _take_roles(kind: str) -> str:
    """A line that gives no roles says nothing about them, and takes none."""
    return f"""
        DELETE FROM memberships_{kind}membershiprole given
        USING staged, memberships_{kind}membership membership
        WHERE {_LINES} AND membership.{kind}_id = staged.{kind}_id AND membership.user_id = staged.user_id
            AND given.membership_id = membership.id
            AND EXISTS (SELECT 1 FROM staged_{kind}_role wanted WHERE wanted.line = staged.line)
            AND NOT EXISTS (
                SELECT 1 FROM staged_{kind}_role wanted
                WHERE wanted.line = staged.line AND wanted.role_id = given.role_id
            )
    """


_WRITE = [
    ("new_members_of_organizations", _JOIN_ORGANIZATIONS),
    ("new_members_of_workspaces", _JOIN_WORKSPACES),
    ("metadata_changed", _change_metadata("organization", "staged.workspace_id IS NULL")),
    ("metadata_changed", _change_metadata("workspace", "staged.workspace_id IS NOT NULL")),
    ("roles_given", _give_roles("organization")),
    ("roles_given", _give_roles("workspace")),
    ("roles_taken", _take_roles("organization")),
    ("roles_taken", _take_roles("workspace")),
]
