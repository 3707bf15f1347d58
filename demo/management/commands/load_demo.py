"""manage.py load_demo"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from demo import data

SHOWN = 5


class Command(BaseCommand):
    help = "Make the demo data, as far as it is missing; existing rows stay as they are. Repeatable."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Demo users have a known password; set DEMO=true if this is no production database.")
        left_out = data.load()
        if left_out:
            shown = ", ".join(left_out[:SHOWN]) + (" ..." if len(left_out) > SHOWN else "")
            self.stderr.write(f"The demo data was changed; left as it is, without {shown}.")
