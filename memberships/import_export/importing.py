"""Import memberships from CSV: all lines or none, in one transaction, with an error for every bad line at once.

docs/importing.md says what a file may hold. A dry run is the import itself, rolled back: it reports what would happen.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from django.db import DatabaseError, IntegrityError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils.text import capfirst

from accounts.models import Deployment, DeploymentAlias
from api.errors import LAST_ADMIN
from api.exceptions import violated_by
from audit import groups
from memberships import last_admin
from memberships.import_export.checking import CHECKS, check, discard_bad_lines, errors
from memberships.import_export.reading import UnreadableFile, read
from memberships.import_export.staging import Hosts, LineError, stage
from memberships.import_export.writing import Changes, write

PROGRESS_EVERY = 2_000
"""Lines from one report of progress to the next."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an import: its ``phase``, ``lines`` of the file done, and about the ``percent`` of all work."""

    phase: str
    lines: int
    percent: int


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an import. ``saved`` is false after a dry run, and if there are errors: then nothing has changed.

    After a dry run without errors ``changes`` are those that the import would make. Without ``lines`` none could be
    read, and the error is about the file.
    """

    lines: int
    errors: list[LineError]
    changes: Changes
    saved: bool

    @property
    def bad_lines(self) -> int:
        return len({error.line for error in self.errors})

    @property
    def rows(self) -> str:
        return "1 row" if self.lines == 1 else f"{self.lines:,} rows"

    @property
    def finding(self) -> str:
        """One sentence for people: how many rows have errors."""
        if not self.lines:
            return "The file was not imported." if self.errors else "The file has no rows below the column names."
        if not self.errors:
            return f"{self.rows}, no errors."
        return f"{self.bad_lines:,} of {self.rows} {'has' if self.bad_lines == 1 else 'have'} errors."

    @property
    def outcome(self) -> str:
        """A second sentence: whether they were saved."""
        if self.saved:
            return f"Saved: {self.changes}."
        if self.errors:
            return "Nothing was saved."
        return f"Nothing was saved. The import would save: {self.changes}."


def run_import(
    file: BinaryIO,
    *,
    deployments: QuerySet[Deployment],
    default: Deployment | None = None,
    dry_run: bool = False,
    skips_bad_lines: bool = False,
    without_admin: bool = False,
    name: str = "a file",
) -> Iterator[Progress | Report]:
    """Import ``file`` into ``deployments``; yields progress, and last the ``Report``.

    A line that names no host belongs to ``default``, or to the only deployment. ``skips_bad_lines`` saves the good
    ones. ``without_admin`` lets organizations lose their last administrators. The audit log calls the import by
    ``name``, which is the file's. A caller that closes the iterator early stops the import, and nothing is saved.
    """
    try:
        with transaction.atomic():
            if without_admin:
                last_admin.let_go()
            hosts = _hosts(deployments, default)
            report = yield from _run(file, hosts, dry_run=dry_run, skips_bad_lines=skips_bad_lines)
            if report.saved:
                groups.name(f"Import of {name}, {report.rows}")
    except UnreadableFile as error:
        report = _nothing(LineError(error.line, str(error)))
    except (IntegrityError, OperationalError) as error:
        report = _nothing(LineError(0, _why(error)))
    yield report  # after the transaction: callers stop at the report


def _why(error: DatabaseError) -> str:
    if violated_by(error) == LAST_ADMIN:
        return f"{capfirst(last_admin.refusal(error))}, or allow it to have none."
    return "Somebody changed the same data meanwhile, or it took too long. Import it again."


def _nothing(error: LineError) -> Report:
    return Report(0, [error], Changes(), saved=False)


def _run(
    file: BinaryIO, hosts: Hosts, *, dry_run: bool, skips_bad_lines: bool
) -> Generator[Progress | Report, None, Report]:
    size = file.seek(0, os.SEEK_END)
    lines = 0
    for lines, _ in enumerate(stage(read(file), hosts), start=1):
        if lines % PROGRESS_EVERY == 0:
            yield Progress("Reading", lines, 30 * file.tell() // size)
    for number in check():
        yield Progress("Checking", lines, 30 + 20 * number // len(CHECKS))
    found = errors()
    if skips_bad_lines:
        discard_bad_lines()
    changes = Changes()
    if not found or skips_bad_lines:
        for line, share in write(changes):
            yield Progress("Writing", line, 50 + int(50 * share))
        last_admin.check()
    saved = not dry_run and (skips_bad_lines or not found)
    if not saved:
        transaction.set_rollback(True)
    return Report(lines, found, changes, saved=saved)


def _hosts(deployments: QuerySet[Deployment], default: Deployment | None) -> Hosts:
    ids = dict(DeploymentAlias.objects.filter(deployment__in=deployments).values_list("host", "deployment_id"))
    ids |= dict(deployments.values_list("host", "pk"))
    only = next(iter(ids.values())) if len(set(ids.values())) == 1 else None
    return Hosts(ids, default.pk if default else only)
