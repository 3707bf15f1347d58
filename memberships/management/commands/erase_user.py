"""manage.py erase_user USER [--host HOST] [--yes]"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction

from accounts.management.users import the_user
from accounts.models import User
from audit import groups
from memberships import erasure, last_admin


class Command(BaseCommand):
    help = (
        "Erase a person: the user, all that was sent to their addresses, and their data in the audit log. Without "
        "--yes it says what would be erased and changes nothing. It cannot be undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", metavar="USER", help="id, e-mail address or username")
        parser.add_argument("--host", help="the deployment's host, where a user of this name exists in several")
        parser.add_argument("--yes", action="store_true", help="do it")
        parser.add_argument(
            "--without-admin", action="store_true", help="let organizations lose their last administrators"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = the_user(options["user"], options["host"])
        try:
            with transaction.atomic():
                found = self._erase(user, options)
        except IntegrityError as error:
            raise CommandError(f"{last_admin.refusal(error)} (--without-admin)") from error
        rows = ", ".join(f"{number} {name}" for name, number in sorted(found.deleted.items()))
        done = "Erased" if options["yes"] else "Would erase"
        self.stdout.write(f"{done}: {rows}; and the contents of {found.entries} audit log entries.")
        if not options["yes"]:
            self.stdout.write("Nothing was changed; add --yes to do it.")

    def _erase(self, user: User, options: dict[str, Any]) -> erasure.Erasure:
        if options["without_admin"]:
            last_admin.let_go()
        found = erasure.erase(user)
        last_admin.check()
        groups.name("Erase: 1 user")
        transaction.set_rollback(not options["yes"])
        return found
