"""manage.py import_memberships FILE [options], or --sample"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.management.deployments import the_deployment
from accounts.models import Deployment
from memberships.import_export.importing import Progress, Report, run_import
from memberships.import_export.rejecting import rejected_lines
from memberships.import_export.sample import sample

ERRORS, USAGE = 1, 2
SHOWN = 20
"""Bad lines on the screen; all are in the file of rejected lines."""


class Command(BaseCommand):
    help = (
        "Import memberships from a CSV file: all lines or, if one is bad, none. Bad lines are named, and written to a "
        "file to put right and import again. Exit code: 0 done, 1 errors in the file, 2 wrong usage. See "
        "docs/importing.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, nargs="?")
        parser.add_argument("--sample", action="store_true", help="print a file to start from, and import nothing")
        parser.add_argument("--dry-run", action="store_true", help="do it all but save nothing")
        parser.add_argument("--host", help="the deployment of lines without one, by host")
        parser.add_argument(
            "--rejected", metavar="FILE", type=Path, help="where bad lines go (default: FILE with .rejected.csv)"
        )
        parser.add_argument("--skip-rejected", action="store_true", help="save the good lines though some are bad")
        parser.add_argument(
            "--without-admin", action="store_true", help="let organizations lose their last administrators"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["sample"]:
            self.stdout.write(sample().decode("utf-8-sig"), ending="")
            return
        if options["file"] is None:
            raise CommandError("Name the FILE to import; --sample prints one to start from.", returncode=USAGE)
        try:
            default = the_deployment(options["host"]) if options["host"] else None
            file = options["file"].open("rb")
        except (CommandError, OSError) as error:
            raise CommandError(str(error), returncode=USAGE) from error
        with file:
            steps = run_import(
                file,
                deployments=Deployment.objects.all(),
                default=default,
                dry_run=options["dry_run"],
                skips_bad_lines=options["skip_rejected"],
                without_admin=options["without_admin"],
                name=options["file"].name,
            )
            report = self._follow(steps)
            self.stdout.write(f"{report.finding} {report.outcome}")
            if report.errors:
                self._reject(file, report, options["rejected"] or options["file"].with_suffix(".rejected.csv"))

    def _follow(self, steps: Iterable[Progress | Report]) -> Report:
        """Show the progress; gives the report."""
        form = "{desc} {percentage:3.0f}%|{bar:30}| {elapsed}"
        with tqdm(total=100, bar_format=form, file=self.stderr, dynamic_ncols=True) as bar:
            for step in steps:
                if isinstance(step, Report):
                    bar.set_description_str(f"{step.lines:,} lines", refresh=False)
                    bar.update(100 - bar.n)
                    return step
                bar.set_description_str(f"{step.phase} {step.lines:,} lines", refresh=False)
                bar.update(step.percent - bar.n)
        raise AssertionError("an import ends with a report")

    def _reject(self, file: BinaryIO, report: Report, path: Path) -> None:
        for error in report.errors[:SHOWN]:
            self.stderr.write(f"{_place(error.line)}{error.message}")
        if len(report.errors) > SHOWN:
            self.stderr.write(f"... and {len(report.errors) - SHOWN:,} more")
        if not report.lines:
            raise CommandError(
                "There are no rejected lines: put the file right and import it again.", returncode=ERRORS
            )
        try:
            with path.open("wb") as rejected:
                rejected.writelines(rejected_lines(file, report.errors))
        except OSError as error:
            raise CommandError(str(error), returncode=USAGE) from error
        raise CommandError(f"The rejected lines are in {path}: put them right and import them.", returncode=ERRORS)


def _place(line: int) -> str:
    return f"Line {line}: " if line else ""
