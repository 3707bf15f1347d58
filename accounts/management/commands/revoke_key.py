"""manage.py revoke_key KID [--host HOST]"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.keys import revoke_key
from accounts.management.deployments import the_deployment
from accounts.models import SigningKey


class Command(BaseCommand):
    help = "Refuse, from the next request on, every token that the key KID signed: who has one must sign in again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kid", metavar="KID")
        parser.add_argument("--host", help="the deployment's host, where several trust a key of this name")

    def handle(self, *args: Any, **options: Any) -> None:
        keys = SigningKey.objects.filter(kid=options["kid"], revoked_at__isnull=True)
        if options["host"] is not None:
            keys = keys.filter(deployment=the_deployment(options["host"]))
        found = list(keys.select_related("deployment"))
        if not found:
            raise CommandError(f"There is no key {options['kid']!r} that could be revoked.")
        if len(found) > 1:
            hosts = ", ".join(key.deployment.host for key in found)
            raise CommandError(f"Several deployments have a key {options['kid']!r}; give --host: {hosts}.")
        revoke_key(found[0])
        self.stdout.write(f"{found[0].deployment.host}: {found[0].kid} is revoked")
