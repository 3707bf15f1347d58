"""manage.py reset_mfa USERNAME"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User as Staff
from django.core.management.base import BaseCommand, CommandError

from staff.access.mfa import reset


class Command(BaseCommand):
    help = (
        "Reset the MFA of the member of staff USERNAME, and end their sessions. They set up MFA anew at the next "
        "sign-in. Use it when nobody is left who can do this in the admin."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="USERNAME")

    def handle(self, *args: Any, **options: Any) -> None:
        staff = Staff.objects.filter(username=options["username"]).first()
        if staff is None:
            raise CommandError(f"There is no member of staff {options['username']!r}.")
        reset(staff)
        self.stdout.write(f"{staff} sets up MFA anew at the next sign-in")
