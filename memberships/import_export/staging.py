"""The lines of an import in temporary tables, with the errors that each line shows by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import connection

from accounts.values.names import normal_name
from database.fields import JsonObjectField
from memberships.import_export.cells import (
    DEPLOYMENT,
    ORGANIZATION,
    ORGANIZATION_ROLES,
    PUBLIC_METADATA,
    ROLES,
    USER,
    WORKSPACE,
    split_roles,
)
from memberships.import_export.reading import Record, Table

_CREATE = """
    DISCARD TEMPORARY;
    SET LOCAL statement_timeout = '10min';
    CREATE TEMPORARY TABLE staged (
        line integer PRIMARY KEY,
        organization text, workspace text, member text, organization_roles text[], roles text[], public_metadata jsonb,
        deployment_id bigint, organization_id bigint, workspace_id bigint, user_id bigint
    ) ON COMMIT DROP;
    CREATE TEMPORARY TABLE staged_error (line integer, message text) ON COMMIT DROP;
"""
_COPY = """
    COPY staged (line, organization, workspace, member, organization_roles, roles, public_metadata, deployment_id)
    FROM STDIN
"""


class LineError(NamedTuple):
    """An error in a line of the file, with a message that says what to do about it."""

    line: int
    message: str


class Hosts(NamedTuple):
    """The deployments that lines may name, as ids by host, and the deployment of a line without a host."""

    ids: Mapping[str, int]
    default: int | None

    def find(self, host: str) -> int | None:
        return self.ids.get(host.lower().removesuffix(".")) if host else self.default


def stage(table: Table, hosts: Hosts) -> Iterator[int]:
    """Copy the lines of ``table`` into the transaction's temporary tables; yields the number of each line read."""
    errors: list[LineError] = []
    with connection.cursor() as cursor:
        cursor.execute(_CREATE)
        with cursor.copy(_COPY) as copy:
            for record in table.records:
                if record.error:
                    errors.append(LineError(record.line, record.error))
                else:
                    texts = table.texts(record)
                    deployment_id = hosts.find(texts[DEPLOYMENT])
                    messages = list(_errors(texts, deployment_id))
                    errors += [LineError(record.line, message) for message in messages]
                    if messages:
                        texts[PUBLIC_METADATA] = ""  # the column takes only JSON
                    copy.write_row(_row(record, texts, deployment_id))
                yield record.line
        with cursor.copy("COPY staged_error (line, message) FROM STDIN") as copy:
            for error in errors:
                copy.write_row(error)
        cursor.execute("ANALYZE staged")  # nobody else does: autovacuum does not see temporary tables


def _errors(texts: Mapping[str, str], deployment_id: int | None) -> Iterator[str]:
    if deployment_id is None and texts[DEPLOYMENT]:
        yield f"There is no deployment at the host “{texts[DEPLOYMENT]}”."
    elif deployment_id is None:
        yield f"Name the host of a deployment in the column “{DEPLOYMENT}”."
    for name in (ORGANIZATION, USER):
        if not texts[name]:
            yield f"The cell “{name}” is empty."
    if texts[ROLES] and not texts[WORKSPACE]:
        yield f"“{ROLES}” are of a workspace, and the line names none: use “{ORGANIZATION_ROLES}”, or name one."
    if texts[PUBLIC_METADATA]:
        try:
            JsonObjectField().clean(texts[PUBLIC_METADATA])
        except ValidationError as error:
            yield f"“{PUBLIC_METADATA}”: {' '.join(error.messages)}"


def _row(record: Record, texts: Mapping[str, str], deployment_id: int | None) -> list[object]:
    names = [text or None for text in (texts[ORGANIZATION], texts[WORKSPACE], normal_name(texts[USER]))]
    roles = [split_roles(texts[name]) for name in (ORGANIZATION_ROLES, ROLES)]
    return [record.line, *names, *roles, texts[PUBLIC_METADATA] or None, deployment_id]
