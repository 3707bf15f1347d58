"""manage.py reset_second_factor USERNAME"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User as Staff
from django.core.management.base import BaseCommand, CommandError

from staff.access.second_factor import forget


class Command(BaseCommand):
    help = (
        "Delete the second factor of the member of staff called USERNAME, and end their sessions. They set up another "
        "at the next sign-in. For when nobody is left who could do it in the admin."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME")

    def handle(self, *args: Any, **options: Any) -> None:
        staff = Staff.objects.filter(username=options["username"]).first()
        if staff is None:
            raise CommandError(f"No member of staff is called {options['username']!r}.")
        forget(staff)
        self.stdout.write(f"{staff} sets up a second factor at the next sign-in")
