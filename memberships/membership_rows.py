"""A user's workspace memberships as narrow rows: ids, and the membership's own columns.

The workspaces, organizations and roles that they refer to are read apart (``memberships.rows``): processes cache them.
"""

from __future__ import annotations

from typing import NamedTuple

from database.prepared import time_text
from organizations.models import ORGANIZATION_ADMIN


class MembershipRow(NamedTuple):
    """A user's membership of a workspace, all of it UTF-8 text."""

    id: bytes
    workspace_id: bytes
    organization_id: bytes
    role_ids: bytes
    """In the order of the ids, with commas between them, in braces."""
    own_json: bytes
    """The membership's own fields, without braces: metadata and times."""


class Memberships(NamedTuple):
    """A user's memberships of workspaces."""

    administered: set[bytes]
    """The ids of the organizations that the user administers."""
    rows: list[list[bytes]]
    """Each has the fields of a ``MembershipRow``, which would take time to make."""


def memberships(user_id: str) -> str:
    """The SQL of one value: the memberships of the user whose id is the SQL ``user_id``, for ``parse_memberships``.

    In the order of joining; only those in ``%(organization)s`` and of ``%(workspace)s``, unless these are null.
    """
    return f"""
    convert_to(concat_ws(
        E'\\x1e',
        ARRAY (
            SELECT organization_membership.organization_id
            FROM memberships_organizationmembership organization_membership
            JOIN memberships_organizationmembershiprole given ON given.membership_id = organization_membership.id
            JOIN organizations_organizationrole role ON role.id = given.role_id
            WHERE organization_membership.user_id = {user_id} AND '{ORGANIZATION_ADMIN}' = ANY (role.permissions)
        ),
        (
            SELECT string_agg(concat_ws(
                E'\\x1f',
                membership.id,
                membership.workspace_id,
                membership.organization_id,
                ARRAY (
                    SELECT given.role_id FROM memberships_workspacemembershiprole given
                    WHERE given.membership_id = membership.id ORDER BY given.role_id
                ),
                concat(
                    '"public_metadata":', membership.public_metadata,
                    ',"created_at":"', {time_text("membership.created_at")},
                    '","updated_at":"', {time_text("membership.updated_at")}, '"'
                )
            ), E'\\x1e' ORDER BY membership.created_at, membership.id)
            FROM memberships_workspacemembership membership
            WHERE membership.user_id = {user_id}
                AND (%(organization)s::bigint IS NULL OR membership.organization_id = %(organization)s)
                AND (%(workspace)s::bigint IS NULL OR membership.workspace_id = %(workspace)s)
        )
    ), 'UTF8')
    """


def parse_memberships(value: bytes | None) -> Memberships:
    """The memberships in the value of ``memberships``. Control characters separate them: JSON text has none."""
    if value is None:
        return Memberships(set(), [])
    administered, *rows = value.split(b"\x1e")
    return Memberships(set(parse_ids(administered)), [row.split(b"\x1f") for row in rows])


def parse_ids(array: bytes) -> list[bytes]:
    """The ids in PostgreSQL's text of an array."""
    return array[1:-1].split(b",") if array != b"{}" else []
