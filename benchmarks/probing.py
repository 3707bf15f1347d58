"""Can a stranger find out, by time or by answer, which users and rows exist?

Each pair below is two requests of which one names something that exists, but is not the caller's to know, and one names
something that does not. They are sent in turn, in random order, over one connection. Answers must be the same to the
byte, and the median difference in time must have an interval (bootstrap, 99 %) that holds zero. One measurement in a
hundred misses that by chance: repeat it, with another --seed and more --tries, before you look for a cause.

With a server of its own, on a new database with the demo data:

    .venv/bin/python benchmarks/probing.py

Against a running one. It must not stop counting wrong passwords in the middle:

    SIGN_IN_FAILURES_PER_ACCOUNT=1000000 SIGN_IN_FAILURES_PER_ADDRESS=1000000 make run
    .venv/bin/python benchmarks/probing.py http://127.0.0.1:8000 --email ada@demo.example \\
        --session "$(.venv/bin/python manage.py issue_session chioma@demo.example)" \\
        --workspace ID --organization ID --sign-in ID

where ID is that of one that exists, in which the session has no part. The exit code is 1 if any pair
can be distinguished.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

WARM_UP = 20
RESAMPLES = 4000
NOWHERE = 2**62
"""An id that nothing has."""


@dataclass(frozen=True)
class Target:
    """The server, the session, and rows of others that exist there."""

    base_url: str
    session: str
    email: str
    workspace: int
    organization: int
    sign_in: int


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: str = ""
    with_session: bool = True


@dataclass(frozen=True)
class Pair:
    name: str
    existing: Request
    missing: Request


@dataclass(frozen=True)
class Measured:
    """Seconds of each try, and all the different answers."""

    times: list[float]
    answers: set[tuple[int, bytes, tuple[tuple[str, str], ...]]]


def pairs(target: Target) -> list[Pair]:
    name, at, domain = target.email.rpartition("@")
    unknown = f"{'q' * len(name)}{at}{domain}"
    switch, memberships = "/session/switch-workspace?workspace_id=", "/me/workspace-memberships?org_id="
    other_sign_in = "/session/switch-sign-in?sign_in_id="
    return [
        Pair("e-mail: existing, unknown", _wrong_password(target.email), _wrong_password(unknown)),
        Pair(
            "workspace: foreign, nonexistent",
            Request("POST", f"{switch}{target.workspace}"),
            Request("POST", f"{switch}{NOWHERE}"),
        ),
        Pair(
            "organization: foreign, nonexistent",
            Request("GET", f"{memberships}{target.organization}"),
            Request("GET", f"{memberships}{NOWHERE}"),
        ),
        Pair(
            "sign-in: foreign, nonexistent",
            Request("POST", f"{other_sign_in}{target.sign_in}"),
            Request("POST", f"{other_sign_in}{NOWHERE}"),
        ),
    ]


def _wrong_password(email: str) -> Request:
    body = {"strategy": "plain_email", "email": email, "password": "not the password"}
    return Request("POST", "/auth/signin", json.dumps(body), with_session=False)


def measure(target: Target, pair: Pair, *, tries: int, rng: random.Random) -> tuple[Measured, Measured]:
    """``tries`` of each of the two, in turn; which of them goes first is left to chance."""
    url = urlsplit(target.base_url)
    connection = HTTPConnection(str(url.hostname), url.port, timeout=60)
    both = {pair.existing: Measured([], set()), pair.missing: Measured([], set())}
    for number in range(-WARM_UP, tries):
        for request in rng.sample(list(both), 2):
            seconds, answer = _request(connection, target, request)
            if number >= 0:
                both[request].times.append(seconds)
            both[request].answers.add(answer)
    connection.close()
    return both[pair.existing], both[pair.missing]


def _request(
    connection: HTTPConnection, target: Target, request: Request
) -> tuple[float, tuple[int, bytes, tuple[tuple[str, str], ...]]]:
    headers = {"Origin": target.base_url}
    if request.with_session:
        headers["Cookie"] = f"__session={target.session}"
    if request.body:
        headers["Content-Type"] = "application/json"
    begin = time.perf_counter()
    connection.request(request.method, request.path, request.body or None, headers)
    response = connection.getresponse()
    body = response.read()
    seconds = time.perf_counter() - begin
    if response.status == 429 or response.status >= 500:
        sys.exit(f"{request.method} {request.path} gave {response.status}; see the usage (--help)")
    # The date, and the token of a new visitor, differ with every answer: only that one is set is compared.
    kept = tuple(
        (name, value.partition("=")[0] if name == "set-cookie" else value)
        for name, value in sorted((name.lower(), value) for name, value in response.getheaders())
        if name != "date"
    )
    return seconds, (response.status, body, kept)


def spread(times: list[float]) -> float:
    """The median absolute deviation."""
    middle = statistics.median(times)
    return statistics.median(abs(value - middle) for value in times)


def interval(differences: list[float], rng: random.Random) -> tuple[float, float]:
    """The bootstrap interval (99 %) of the median of ``differences``."""
    medians = sorted(statistics.median(rng.choices(differences, k=len(differences))) for _ in range(RESAMPLES))
    return medians[int(RESAMPLES * 0.005)], medians[int(RESAMPLES * 0.995)]


def report(pair: Pair, existing: Measured, missing: Measured, rng: random.Random) -> bool:
    """Print what was measured; whether the two can be distinguished."""
    # The two of a try were sent one after the other, so that much of what else the machine did cancels out.
    differences = [one - other for one, other in zip(existing.times, missing.times, strict=True)]
    low, high = interval(differences, rng)
    middle = statistics.median(differences)
    by_time = not low <= 0 <= high
    by_answer = existing.answers != missing.answers or len(existing.answers) != 1
    verdict = [what for what, is_so in (("TIME", by_time), ("ANSWER", by_answer)) if is_so]
    say(pair.name)
    for label, times in (("first", existing.times), ("second", missing.times)):
        say(f"  {label:10} median {statistics.median(times) * 1e3:9.3f} ms   MAD {spread(times) * 1e3:7.3f} ms")
    say(f"  difference median {middle * 1e3:+9.3f} ms   99 % {low * 1e3:+.3f} to {high * 1e3:+.3f} ms")
    say(f"  verdict    {'DISTINGUISHED BY ' + ' AND '.join(verdict) if verdict else 'not distinguished'}")
    return bool(verdict)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def own_target() -> Iterator[Target]:
    """A server with the demo data, without limits on wrong passwords."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import psycopg

    from tests.support.server import demo_environment, manage, own_postgres, running_server

    with own_postgres() as postgres:
        unlimited = {"SIGN_IN_FAILURES_PER_ACCOUNT": "1000000", "SIGN_IN_FAILURES_PER_ADDRESS": "1000000"}
        env = demo_environment(postgres.url) | unlimited
        manage("migrate", env=env)
        manage("load_demo", env=env)
        session = manage("issue_session", "chioma@demo.example", env=env).strip()
        manage("issue_session", "ada@demo.example", env=env)
        with psycopg.connect(postgres.url) as connection:
            row = connection.execute(
                """
                SELECT workspace.id, workspace.organization_id, sign_in.id
                FROM organizations_workspace AS workspace
                JOIN organizations_organization AS organization ON organization.id = workspace.organization_id
                JOIN accounts_user AS chioma
                    ON chioma.deployment_id = organization.deployment_id AND chioma.email = 'chioma@demo.example'
                CROSS JOIN (
                    SELECT sign_in.id
                    FROM accounts_signin AS sign_in JOIN accounts_user AS ada ON ada.id = sign_in.user_id
                    WHERE ada.email = 'ada@demo.example'
                ) AS sign_in
                WHERE NOT EXISTS (
                    SELECT 1 FROM memberships_organizationmembership AS membership
                    WHERE membership.organization_id = organization.id AND membership.user_id = chioma.id
                )
                ORDER BY workspace.id
                """
            ).fetchone()
        if row is None:
            sys.exit("The demo data holds no workspace that is foreign to Chioma.")
        workspace, organization, sign_in = row
        with running_server(env) as base_url:
            yield Target(base_url, session, "ada@demo.example", workspace, organization, sign_in)


@contextmanager
def given_target(arguments: argparse.Namespace) -> Iterator[Target]:
    """The running server that the command line names."""
    yield Target(
        arguments.url.rstrip("/"),
        arguments.session,
        arguments.email,
        arguments.workspace,
        arguments.organization,
        arguments.sign_in,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", help="the deployment's base URL; without it, a server of its own is started")
    parser.add_argument("--email", help="of a user who exists")
    parser.add_argument("--session", help="a session token, of another user")
    parser.add_argument("--workspace", type=int, help="the id of a workspace that is not this user's")
    parser.add_argument("--organization", type=int, help="the id of an organization that is not this user's")
    parser.add_argument("--sign-in", type=int, help="the id of a sign-in in another session")
    parser.add_argument("--tries", type=int, default=200, help="of each request (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order and the bootstrap (default: %(default)s)")
    arguments = parser.parse_args()
    needed = [arguments.email, arguments.session, arguments.workspace, arguments.organization, arguments.sign_in]
    if arguments.url and None in needed:
        parser.error("with a URL, --email, --session, --workspace, --organization and --sign-in are needed")
    rng = random.Random(arguments.seed)  # noqa: S311
    distinguished = False
    with given_target(arguments) if arguments.url else own_target() as target:
        say(f"{target.base_url}, {arguments.tries} tries of each")
        for pair in pairs(target):
            distinguished |= report(pair, *measure(target, pair, tries=arguments.tries, rng=rng), rng)
    return int(distinguished)


if __name__ == "__main__":
    sys.exit(main())
