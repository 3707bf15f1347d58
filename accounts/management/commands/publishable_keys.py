"""manage.py publishable_keys [HOST ...] [--url URL]"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from accounts.answers.rendering import publishable_key
from accounts.management.deployments import the_deployment
from accounts.models import Deployment


class Command(BaseCommand):
    help = "Print the publishable key for each host: pk_live (cookies) in production, pk_test (query) in staging."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "hosts", metavar="HOST", nargs="*", help="a deployment's host or alias; all if none is given"
        )
        parser.add_argument("--url", help="the API's base URL, if not https://HOST, or of the demo")

    def handle(self, *args: Any, **options: Any) -> None:
        hosts = [(host, the_deployment(host)) for host in options["hosts"]] or [
            (host, deployment)
            for deployment in Deployment.objects.order_by("host")
            for host in (deployment.host, *deployment.aliases.order_by("host").values_list("host", flat=True))
        ]
        for host, deployment in hosts:
            base_url = options["url"] or (f"http://{host}:{settings.PORT}" if settings.DEMO else f"https://{host}")
            self.stdout.write(f"{host} {deployment.mode} {publishable_key(base_url, deployment.mode)}")
