"""manage.py publishable_keys [HOST ...] [--url URL]"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from accounts.management.deployments import the_deployment
from accounts.models import Deployment
from accounts.rendering import publishable_keys


class Command(BaseCommand):
    help = "Print the publishable keys of client libraries: pk_live for cookies, pk_test for the query parameter."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("hosts", metavar="HOST", nargs="*", help="a deployment's host; all if none is given")
        parser.add_argument("--url", help="the API's base URL, if it is not https://HOST")

    def handle(self, *args: Any, **options: Any) -> None:
        deployments = [the_deployment(host) for host in options["hosts"]] or list(Deployment.objects.order_by("host"))
        for deployment in deployments:
            for key in publishable_keys(options["url"] or deployment.issuer).values():
                self.stdout.write(f"{deployment.host} {deployment.mode} {key}")
