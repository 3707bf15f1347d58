"""manage.py load_scale"""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from accounts.deployments.hosts import find_deployment
from demo import scale


class Command(BaseCommand):
    help = (
        "Make a deployment with many users, organizations, workspaces and memberships (about 5.5 a user), for "
        "measuring. The same seed gives the same data."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--users", type=_positive, default=20_000, metavar="N", help="default: 20000")
        parser.add_argument("--seed", type=int, default=1, metavar="S", help="default: 1")
        parser.add_argument("--host", default=scale.HOST, help=f"the deployment's host; default: {scale.HOST}")

    def handle(self, *args: Any, users: int, seed: int, host: str, **options: Any) -> None:
        if find_deployment(host) is not None:
            raise CommandError(f"There is a deployment at {host} already; delete it, or name another host.")
        with tqdm(total=scale.total_rows(users), unit=" rows", unit_scale=True) as bar:

            def report(what: str, number: int) -> None:
                bar.set_description(what, refresh=False)
                bar.update(number)

            scale.load(users=users, seed=seed, host=host, report=report)
            bar.total = bar.n
        self.stderr.write(f"Loaded; issue_session exactly-50-00@scale.example --host {host} gives a session.")


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError("must be a positive number")
    return int(text)
