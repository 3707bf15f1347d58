"""manage.py prune_audit_log --days DAYS"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from audit import retention


class Command(BaseCommand):
    help = "Delete the audit log's entries that are older than DAYS. Nothing else may delete from it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, required=True, help="how long entries are kept")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["days"] <= 36500:
            raise CommandError("--days takes 0 to 36500.")
        number = retention.prune(before=timezone.now() - timedelta(days=options["days"]))
        self.stdout.write(f"{number} entries deleted")
