"""manage.py trust_issuer HOST ISSUER FILE"""

from __future__ import annotations

from argparse import ArgumentParser, FileType
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.keys import trust_outside_keys
from accounts.management.deployments import the_deployment


class Command(BaseCommand):
    help = (
        "Let the outside ISSUER say who signs in to the deployment at HOST, by tokens that the keys in FILE verify. "
        "Run it again with a newer FILE when the issuer rotates its keys: those that are missing there are revoked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("host", metavar="HOST")
        parser.add_argument("issuer", metavar="ISSUER", help="the claim iss of the issuer's tokens")
        parser.add_argument("file", metavar="FILE", type=FileType("r"), help="a JWKS document (RFC 7517); - for input")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"] as file:
                jwks = file.read()
            deployment = the_deployment(options["host"])
            keys = trust_outside_keys(deployment=deployment, issuer=options["issuer"], jwks=jwks)
        except (ValidationError, UnicodeDecodeError) as error:
            raise CommandError(" ".join(getattr(error, "messages", [str(error)]))) from error
        self.stdout.write(f"{deployment.host} trusts {options['issuer']}: {', '.join(key.kid for key in keys)}")
