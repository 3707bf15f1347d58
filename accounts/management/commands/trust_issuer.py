"""manage.py trust_issuer HOST ISSUER FILE"""

from __future__ import annotations

from argparse import ArgumentParser, FileType
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.management.deployments import the_deployment
from accounts.tokens.outside_issuers import trust_outside_keys


class Command(BaseCommand):
    help = (
        "Let the outside ISSUER say who signs in to the deployment at HOST, by tokens that the keys in FILE verify: "
        "those for ES256, RS256 (RSA of 2048 bits or more), PS256 and EdDSA; the others are passed over. "
        "Run it again with a newer FILE when the issuer rotates its keys: those that are missing there are revoked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("host", metavar="HOST")
        parser.add_argument("issuer", metavar="ISSUER", help="the claim iss of the issuer's tokens, to the letter")
        parser.add_argument("file", metavar="FILE", type=FileType("r"), help="a JWKS document (RFC 7517); - for input")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"] as file:
                jwks = file.read()
            deployment = the_deployment(options["host"])
            trusted = trust_outside_keys(deployment=deployment, issuer=options["issuer"], jwks=jwks)
        except (ValidationError, UnicodeDecodeError) as error:
            raise CommandError(" ".join(getattr(error, "messages", [str(error)]))) from error
        for reason in trusted.passed_over:
            self.stderr.write(reason)
        self.stdout.write(f"{deployment.host} trusts {options['issuer']}: {', '.join(key.kid for key in trusted.keys)}")
