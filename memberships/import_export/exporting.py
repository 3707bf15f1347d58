"""Memberships as streamed CSV, which an import reads back without a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
from django.db import connection
from django.db.models import Count, QuerySet

from memberships.import_export.cells import COLUMNS, csv_line, join_roles, metadata_cell, reference, role_reference
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization

CHUNK = 2_000
"""Memberships read at once."""


def export(memberships: QuerySet[OrganizationMembership] | QuerySet[WorkspaceMembership]) -> Iterator[bytes]:
    """The lines of a CSV file of ``memberships``, in the order of their ids; the first names the columns."""
    yield b"\xef\xbb\xbf" + csv_line(COLUMNS)  # without the mark, spreadsheets guess at the encoding
    named = Organization.objects.values_list("deployment_id", "name").annotate(number=Count("pk"))
    several = {(deployment_id, name) for deployment_id, name, _ in named.filter(number__gt=1)}
    statement = _OF_WORKSPACES if memberships.model is WorkspaceMembership else _OF_ORGANIZATIONS
    last = 0
    while ids := list(memberships.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        last = ids[-1]
        with connection.cursor() as cursor:
            cursor.execute(statement, {"ids": ids})
            rows = cursor.fetchall()
        for host, deployment_id, organization, workspace, user, roles, organization_roles, metadata in rows:
            name, organization_id = _json(organization)
            yield csv_line(
                [
                    host,
                    reference(name, organization_id, is_unique=(deployment_id, name) not in several),
                    "" if workspace is None else _written(reference, _json(workspace)),
                    _user(*_json(user)),
                    join_roles(_written(role_reference, role) for role in _json(roles)),
                    join_roles(_written(role_reference, role) for role in _json(organization_roles)),
                    metadata_cell(metadata),
                ]
            )


def _json(value: Any) -> Any:
    """Django leaves JSON of raw statements as text."""
    return orjson.loads(value) if isinstance(value, str) else value


def _written(reference: Callable[..., str], named: Any) -> str:
    name, row_id, is_unique = named
    return reference(name, row_id, is_unique=is_unique)


def _user(email: str, username: str, user_id: int, email_is_clear: bool, username_is_clear: bool) -> str:
    """The address if there is one, or the username, unless another user is called so, too."""
    if email:
        return reference(email, user_id, is_unique=email_is_clear)
    return reference(username, user_id, is_unique=username_is_clear)


def _roles(kind: str, membership_id: str) -> str:
    """The roles of a membership: name, id, and whether no other role that can be given there has the name."""
    same = f"""
        SELECT 1 FROM organizations_{kind}role other
        WHERE other.deployment_id = role.deployment_id AND other.name = role.name AND other.id <> role.id
    """
    own = " AND coalesce(other.workspace_id, membership.workspace_id) = membership.workspace_id"
    narrower = own if kind == "workspace" else ""
    return f"""
        coalesce((
            SELECT jsonb_agg(jsonb_build_array(
                role.name, role.id,
                NOT EXISTS ({same} AND other.organization_id IS NULL)
                AND NOT EXISTS ({same} AND other.organization_id = membership.organization_id {narrower})
            ) ORDER BY role.id)
            FROM memberships_{kind}membershiprole given JOIN organizations_{kind}role role ON role.id = given.role_id
            WHERE given.membership_id = {membership_id}
        ), '[]')
    """


def _select(kind: str) -> str:
    of_workspace = kind == "workspace"
    workspace = """
        jsonb_build_array(workspace.name, workspace.id, NOT EXISTS (
            SELECT 1 FROM organizations_workspace other
            WHERE other.organization_id = workspace.organization_id AND other.name = workspace.name
                AND other.id <> workspace.id
        ))
    """
    joins = """
        JOIN organizations_workspace workspace ON workspace.id = membership.workspace_id
        JOIN memberships_organizationmembership above
            ON above.organization_id = membership.organization_id AND above.user_id = membership.user_id
    """
    return f"""
        SELECT deployment.host, deployment.id,
            jsonb_build_array(organization.name, organization.id),
            {workspace if of_workspace else "NULL::jsonb"},
            jsonb_build_array(
                member.email, member.username, member.id,
                NOT EXISTS (
                    SELECT 1 FROM accounts_user other WHERE other.deployment_id = member.deployment_id
                        AND other.username <> '' AND lower(other.username) = lower(member.email)
                        AND other.id <> member.id
                ),
                NOT EXISTS (
                    SELECT 1 FROM accounts_user other WHERE other.deployment_id = member.deployment_id
                        AND other.email <> '' AND lower(other.email) = lower(member.username)
                        AND other.id <> member.id
                )
            ),
            {_roles("workspace", "membership.id") if of_workspace else "'[]'::jsonb"},
            {_roles("organization", "above.id" if of_workspace else "membership.id")},
            membership.public_metadata::text
        FROM memberships_{kind}membership membership
        JOIN organizations_organization organization ON organization.id = membership.organization_id
        JOIN accounts_deployment deployment ON deployment.id = organization.deployment_id
        JOIN accounts_user member ON member.id = membership.user_id
        {joins if of_workspace else ""}
        WHERE membership.id = ANY (%(ids)s)
        ORDER BY membership.id
    """


_OF_WORKSPACES = _select("workspace")
_OF_ORGANIZATIONS = _select("organization")
