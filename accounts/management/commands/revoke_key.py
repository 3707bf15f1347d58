"""manage.py revoke_key KID [--host HOST]"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.management.deployments import the_deployment
from accounts.models import SigningKey
from accounts.tokens.keys import revoke_key


class Command(BaseCommand):
    help = "Refuse, from the next request on, every token that the key KID signed. Its users must sign in again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kid", metavar="KID")
        parser.add_argument("--host", help="the deployment's host, where several trust a key of this name")
        parser.add_argument("--issuer", help="the outside issuer, where the deployment has several keys of this name")

    def handle(self, *args: Any, **options: Any) -> None:
        keys = SigningKey.objects.filter(kid=options["kid"], revoked_at__isnull=True)
        if options["host"] is not None:
            keys = keys.filter(deployment=the_deployment(options["host"]))
        if options["issuer"] is not None:
            keys = keys.filter(issuer=options["issuer"])
        found = list(keys.select_related("deployment").order_by("deployment__host", "issuer", "pk"))
        if not found:
            raise CommandError(f"There is no key {options['kid']!r} that could be revoked.")
        if len(found) > 1:
            owners = ", ".join(f"{key.deployment.host}{f' ({key.issuer})' if key.issuer else ''}" for key in found)
            option = "--host" if len({key.deployment_id for key in found}) > 1 else "--issuer"
            raise CommandError(f"There are several keys {options['kid']!r}; give {option}: {owners}.")
        revoke_key(found[0])
        self.stdout.write(f"{found[0].deployment.host}: {found[0].kid} is revoked")
