"""manage.py load_demo"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from memberships import demo


class Command(BaseCommand):
    help = "Make the demo data, as far as it is missing. Repeatable."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("Demo users have a known password; set DEMO=true if this is no production database.")
        demo.load()
