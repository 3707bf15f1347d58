"""Looks up and checks the names in the staged lines, all lines at once: a few statements a check, none line by line.

A reference is a name, or an id with or without its mark. It must mean one row in all the ways in which it can be meant.
A name within something unknown gets no error of its own: an unknown organization has no workspaces.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from memberships.import_export.cells import visible
from memberships.import_export.staging import LineError


def check() -> Iterator[int]:
    """Set the ids of the staged lines and write ``staged_error``; yields how many of the ``CHECKS`` are done."""
    with connection.cursor() as cursor:
        for number, statements in enumerate(CHECKS, start=1):
            cursor.execute(statements)
            yield number


def errors() -> list[LineError]:
    """All errors, in the order of the lines."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT line, message FROM staged_error ORDER BY line, message")
        return [LineError(line, visible(message)) for line, message in cursor]


def discard_bad_lines() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM staged USING staged_error error WHERE staged.line = error.line")


def _find(found: str, *, scope: str, references: str, ways: list[str]) -> str:
    """Make the table ``found``: the ids that each of the distinct ``references`` may mean within its ``scope``.

    Each of the ``ways`` joins ``wanted`` by equalities, so that hashes and indexes serve however many there are. A name
    is looked for as it is written, and, if nothing is called so, composed and decomposed (Unicode's NFC and NFD).
    """
    candidates = " UNION ".join(
        f"SELECT wanted.{scope}, reference, is_as_written, found.id FROM wanted JOIN {way}" for way in ways
    )
    return f"""
        CREATE TEMPORARY TABLE {found} ON COMMIT DROP AS
        WITH wanted AS MATERIALIZED (
            SELECT DISTINCT {scope}, reference, form = reference AS is_as_written,
                CASE WHEN reference !~ '^#[0-9]+$' THEN form END AS name,
                CASE WHEN reference ~ '^#?[0-9]{{1,18}}$' THEN ltrim(reference, '#')::bigint END AS id
            FROM (SELECT DISTINCT {scope}, {references} AS reference FROM staged WHERE {scope} IS NOT NULL) lines
            CROSS JOIN LATERAL unnest(ARRAY[reference, normalize(reference, NFC), normalize(reference, NFD)]) form
            WHERE reference IS NOT NULL
        )
        SELECT {scope}, reference, coalesce(
            array_agg(id ORDER BY id) FILTER (WHERE is_as_written), array_agg(id ORDER BY id)
        ) AS ids
        FROM ({candidates}) candidate
        GROUP BY {scope}, reference;
        ANALYZE {found};
    """


def _add_error(message: str, *values: str, lines: str) -> str:
    """Add the error ``message``, in which each %s stands for one of ``values``, for all of ``lines``."""
    return f"INSERT INTO staged_error SELECT line, format('{message}', {', '.join(values)}) FROM {lines};"


def _refuse_unclear(lines: str, *, unknown: str, ambiguous: str) -> str:
    """Add an error for each reference in ``lines`` that means no row, or several."""
    ids = "(SELECT string_agg('#' || id, ' or ') FROM unnest(ids) id)"
    return _add_error(unknown, "left(reference, 100)", lines=f"{lines} WHERE ids IS NULL") + _add_error(
        ambiguous, "left(reference, 100)", ids, lines=f"{lines} WHERE cardinality(ids) > 1"
    )


def _look_up(column: str, *, into: str, scope: str, ways: list[str], unknown: str, ambiguous: str) -> str:
    """Write the ids that ``column`` means into the column ``into``."""
    found = f"found_{column}"
    lines = f"""
        (SELECT line, {scope}, {column} AS reference FROM staged
        WHERE {scope} IS NOT NULL AND {column} IS NOT NULL) lines
        LEFT JOIN {found} found USING ({scope}, reference)
    """
    return f"""
        {_find(found, scope=scope, references=column, ways=ways)}
        UPDATE staged SET {into} = ids[1] FROM {found} found
        WHERE found.{scope} = staged.{scope} AND reference = {column} AND cardinality(ids) = 1;
        ANALYZE staged;
        {_refuse_unclear(lines, unknown=unknown, ambiguous=ambiguous)}
    """


def _look_up_roles(column: str, *, kind: str, ways: list[str]) -> str:
    """Make the table ``staged_<kind>_role``: the roles of a ``kind`` of place that ``column`` means."""
    found, into, scope = f"found_{column}", f"staged_{kind}_role", f"{kind}_id"
    lines = f"""
        (SELECT line, {scope}, unnest({column}) AS reference FROM staged WHERE {scope} IS NOT NULL) lines
        LEFT JOIN {found} found USING ({scope}, reference)
    """
    refusal = _refuse_unclear(
        lines,
        unknown=f"There is no {kind} role “%s” that can be given here; roles are separated by semicolons.",
        ambiguous=f"Several {kind} roles that can be given here are called “%s”: write %s.",
    )
    return f"""
        {_find(found, scope=scope, references=f"unnest({column})", ways=ways)}
        CREATE TEMPORARY TABLE {into} ON COMMIT DROP AS
        SELECT DISTINCT line, ids[1] AS role_id FROM {lines} WHERE cardinality(ids) = 1;
        CREATE INDEX ON {into} (line);
        ANALYZE {into};
        {refusal}
    """


_ORGANIZATION = _look_up(
    "organization",
    into="organization_id",
    scope="deployment_id",
    ways=[f"organizations_organization found USING (deployment_id, {column})" for column in ("name", "id")],
    unknown="There is no organization “%s” in the deployment.",
    ambiguous="Several organizations are called “%s”: write %s.",
)
_WORKSPACE = _look_up(
    "workspace",
    into="workspace_id",
    scope="organization_id",
    ways=[f"organizations_workspace found USING (organization_id, {column})" for column in ("name", "id")],
    unknown="There is no workspace “%s” in the organization.",
    ambiguous="Several workspaces of the organization are called “%s”: write %s.",
)
_USERS = "accounts_user found ON found.deployment_id = wanted.deployment_id"
_USER = _look_up(
    "member",
    into="user_id",
    scope="deployment_id",
    ways=[
        f"{_USERS} AND found.email <> '' AND lower(found.email) = lower(wanted.name)",
        f"{_USERS} AND found.username <> '' AND lower(found.username) = lower(wanted.name)",
        f"{_USERS} AND found.id = wanted.id",
    ],
    unknown="There is no user “%s” in the deployment: write an e-mail address, a username or an id.",
    ambiguous="“%s” means several users: write %s.",
)

_ROLES_IN_ORGANIZATION = """
    organizations_organization place ON place.id = wanted.organization_id
    JOIN organizations_organizationrole found ON found.deployment_id = place.deployment_id
"""
_ORGANIZATION_ROLES = _look_up_roles(
    "organization_roles",
    kind="organization",
    ways=[
        f"{_ROLES_IN_ORGANIZATION} AND found.organization_id IS NULL AND found.name = wanted.name",
        f"{_ROLES_IN_ORGANIZATION} AND found.organization_id = place.id AND found.name = wanted.name",
        f"{_ROLES_IN_ORGANIZATION} AND coalesce(found.organization_id, place.id) = place.id AND found.id = wanted.id",
    ],
)

_ROLES_IN_WORKSPACE = """
    organizations_workspace place ON place.id = wanted.workspace_id
    JOIN organizations_organization above ON above.id = place.organization_id
    JOIN organizations_workspacerole found ON found.deployment_id = above.deployment_id
"""
_OF_THE_ORGANIZATION = "found.organization_id = above.id AND found.workspace_id IS NULL"
_FITTING = "coalesce(found.organization_id, above.id) = above.id AND coalesce(found.workspace_id, place.id) = place.id"
_WORKSPACE_ROLES = _look_up_roles(
    "roles",
    kind="workspace",
    ways=[
        f"{_ROLES_IN_WORKSPACE} AND found.organization_id IS NULL AND found.name = wanted.name",
        f"{_ROLES_IN_WORKSPACE} AND {_OF_THE_ORGANIZATION} AND found.name = wanted.name",
        f"{_ROLES_IN_WORKSPACE} AND found.workspace_id = place.id AND found.name = wanted.name",
        f"{_ROLES_IN_WORKSPACE} AND {_FITTING} AND found.id = wanted.id",
    ],
)

_ONCE = _add_error(
    "This is the same membership as in line %s: keep one of the two.",
    "first",
    lines="""
        (SELECT line, min(line) OVER (PARTITION BY user_id, organization_id, workspace_id) AS first FROM staged
        WHERE user_id IS NOT NULL AND organization_id IS NOT NULL
            AND (workspace IS NULL OR workspace_id IS NOT NULL)) lines
        WHERE line <> first
    """,
)
_CONSISTENT = _add_error(
    "Line %s gives the same user other roles in the same organization: make them agree.",
    "first",
    lines="""
        (SELECT line, role_ids, first_value(line) OVER first AS first, first_value(role_ids) OVER first AS first_ids
        FROM (
            SELECT line, user_id, organization_id, array_agg(role_id ORDER BY role_id) AS role_ids
            FROM staged JOIN staged_organization_role USING (line) WHERE user_id IS NOT NULL
            GROUP BY line, user_id, organization_id
        ) lines
        WINDOW first AS (PARTITION BY user_id, organization_id ORDER BY line)) lines
        WHERE role_ids <> first_ids
    """,
)

CHECKS = [_ORGANIZATION, _WORKSPACE, _USER, _ORGANIZATION_ROLES, _WORKSPACE_ROLES, _ONCE, _CONSISTENT]
