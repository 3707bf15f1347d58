"""manage.py sweep_sessions [--days DAYS]"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts import counting
from accounts.authentication import sessions
from accounts.credentials import codes, throttling
from accounts.mail import outbox
from accounts.self_service import picture
from accounts.sign_in import invitations, signing_up
from accounts.tokens import outside_issuers
from database.models import sweep as sweep_invalidation_log
from memberships.models import OrganizationInvitation
from memberships.self_service import domains
from organizations import images


class Command(BaseCommand):
    help = (
        "Delete the sessions that ended or expired, the mails that were written, the invitations that expired and the "
        "domains that were claimed and never verified some time ago; limits that are over, sign-ups, codes and used "
        "tokens that have expired, pictures that are nobody's, the counts of days that no plot shows, and old rows of "
        "the invalidation log. Run it daily."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=90, help="how long ago (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["days"] <= 36500:
            raise CommandError("--days takes 0 to 36500.")
        before = timezone.now() - timedelta(days=options["days"])
        number = sessions.sweep(before=before)
        outbox.sweep(before=before)
        invitations.sweep(before=before)
        invitations.sweep(before=before, rows=OrganizationInvitation.objects.all())
        domains.sweep(before=before)
        codes.sweep()
        signing_up.sweep()
        throttling.sweep()
        counting.sweep()
        outside_issuers.sweep()
        day_before = timezone.now() - timedelta(days=1)
        picture.sweep(before=day_before)
        images.sweep(before=day_before)
        sweep_invalidation_log()
        self.stdout.write(f"{number} sessions deleted")
