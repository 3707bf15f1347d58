"""manage.py rotate_keys [HOST ...]"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from accounts.management.deployments import the_deployment
from accounts.models import Deployment
from accounts.tokens.keys import rotate_keys


class Command(BaseCommand):
    help = (
        "Have a new key sign the tokens of the deployments at HOST, or of all. The earlier keys verify, and stay in "
        "the JWKS, until their last token has expired. No restart is needed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("hosts", metavar="HOST", nargs="*", help="a deployment's host; all if none is given")

    def handle(self, *args: Any, **options: Any) -> None:
        deployments = [the_deployment(host) for host in options["hosts"]] or list(Deployment.objects.order_by("host"))
        for deployment in deployments:
            self.stdout.write(f"{deployment.host}: {rotate_keys(deployment).kid}")
