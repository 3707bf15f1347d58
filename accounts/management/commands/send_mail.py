"""manage.py send_mail"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounts.mail import outbox


class Command(BaseCommand):
    help = (
        "Send the mails that are due, and end. The server does this by itself; this is for cron where it does not run."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{outbox.deliver_due()} mails sent")
