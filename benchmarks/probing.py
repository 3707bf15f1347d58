"""Can a stranger find out, by time or by answer, which users and rows exist?

Each pair below is two requests of which one names something that exists, but is not the caller's to know, and one names
something that does not. They are sent in turn, in random order, over one connection. Answers must be the same, but for
the name, ids and times in them, and the median difference in time must have an interval (bootstrap, 99 %) that holds
zero. The AUC is the part of all pairs of times in which the first is the longer one: 0.5 if time says nothing, and by
chance alone 0.5 +- 0.07 with 200 tries (99 %). One measurement in a hundred misses its interval by chance: repeat it,
with another --seed and more --tries, before you look for a cause.

With a server of its own, on a new database with the demo data:

    .venv/bin/python benchmarks/probing.py

Against a running one, with everybody allowed to sign up. It must not stop at a limit in the middle:

    SIGN_IN_FAILURES_PER_ACCOUNT=1000000 SIGN_IN_FAILURES_PER_ADDRESS=1000000 \\
        CODES_PER_ACCOUNT=1000000 CODES_PER_ADDRESS=1000000 \\
        CHANGES_PER_ACCOUNT=1000000 CHANGES_PER_ADDRESS=1000000 make run
    .venv/bin/python benchmarks/probing.py http://127.0.0.1:8000 --email ada@demo.example \\
        --session "$(.venv/bin/python manage.py issue_session chioma@demo.example)" \\
        --workspace ID --organization ID --sign-in ID

where ID is that of one that exists, in which the session has no part. What an administrator can find out is measured
on a server of its own alone. The exit code is 1 if any pair can be distinguished.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.probed import Pair, Request, Target, pairs

WARM_UP = 20
RESAMPLES = 4000
LIMITS = [f"{what}_PER_{whom}" for what in ("SIGN_IN_FAILURES", "CODES", "CHANGES") for whom in ("ACCOUNT", "ADDRESS")]


@dataclass(frozen=True)
class Sent:
    """A request that was answered, with the session and the sign-up attempt that go on from there."""

    seconds: float
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    cookie: str
    attempt: str


Answer = tuple[int, bytes, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Measured:
    """Seconds of each try, and all the different answers."""

    times: list[float]
    answers: set[Answer]


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


def _request(connection: HTTPConnection, target: Target, request: Request) -> tuple[float, Answer]:
    """The seconds that ``request`` took, and its answer without the name, the ids and the times in it."""
    sent = _send(connection, target, request)
    text = sent.body.replace(request.name.encode(), b"NAME") if request.name else sent.body
    text = re.sub(rb'"\d+"', b'"ID"', re.sub(rb"\d{4}-\d\d-\d\dT[\d:.]+Z", b"TIME", text))
    # The date, and the token of a new visitor, differ with every answer: only that one is set is compared.
    differ = {"date", "etag"} | (set() if text == sent.body else {"content-length"})
    kept = tuple(
        (name, value.partition("=")[0] if name == "set-cookie" else value)
        for name, value in sorted(sent.headers)
        if name not in differ
    )
    return sent.seconds, (sent.status, text, kept)


def _send(connection: HTTPConnection, target: Target, request: Request) -> Sent:
    """Send ``request``, after those that come first."""
    headers, path, attempt = {"Origin": target.base_url}, request.path, ""
    if request.with_session:
        headers["Cookie"] = f"__session={target.admin if request.as_admin else target.session}"
    if request.first is not None:
        before = _send(connection, target, request.first)
        headers["Cookie"], attempt = before.cookie, before.attempt
        path = path.format(attempt=attempt)
    if request.body:
        headers["Content-Type"] = "application/json"
    begin = time.perf_counter()
    connection.request(request.method, path, request.body or None, headers)
    response = connection.getresponse()
    body = response.read()
    seconds = time.perf_counter() - begin
    if response.status == 429 or response.status >= 500:
        sys.exit(f"{request.method} {path} gave {response.status}; see the usage (--help)")
    if request.undo and response.status == 200:
        path = request.undo.format(id=json.loads(body)["data"]["id"])
        _send(connection, target, Request("POST", path, as_admin=request.as_admin))
    found = re.search(rb'"signup_attempts":\[\{"id":"(\d+)"', body)
    return Sent(
        seconds,
        response.status,
        [(name.lower(), value) for name, value in response.getheaders()],
        body,
        cookie=response.getheader("Set-Cookie", headers.get("Cookie", "")).partition(";")[0],
        attempt=found[1].decode() if found else attempt,
    )


def spread(times: list[float]) -> float:
    """The median absolute deviation."""
    middle = statistics.median(times)
    return statistics.median(abs(value - middle) for value in times)


def interval(differences: list[float], rng: random.Random) -> tuple[float, float]:
    """The bootstrap interval (99 %) of the median of ``differences``."""
    medians = sorted(statistics.median(rng.choices(differences, k=len(differences))) for _ in range(RESAMPLES))
    return medians[int(RESAMPLES * 0.005)], medians[int(RESAMPLES * 0.995)]


def auc(times: list[float], others: list[float]) -> float:
    """The part of all pairs of ``times`` and ``others`` in which the first is longer; one of equals counts half."""
    ordered = sorted(others)
    return statistics.fmean((bisect_left(ordered, one) + bisect_right(ordered, one)) / 2 / len(others) for one in times)


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
    say(f"  AUC        {auc(existing.times, missing.times):.3f}")
    say(f"  verdict    {'DISTINGUISHED BY ' + ' AND '.join(verdict) if verdict else 'not distinguished'}")
    return bool(verdict)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def own_target() -> Iterator[Target]:
    """A server with the demo data, without limits on wrong passwords and codes."""
    import psycopg

    from tests.support.server import demo_environment, manage, own_postgres, running_server

    with own_postgres(on_disk=True) as postgres:
        env = demo_environment(postgres.url) | dict.fromkeys(LIMITS, "1000000")
        manage("migrate", env=env)
        manage("load_demo", env=env)
        session = manage("issue_session", "chioma@demo.example", env=env).strip()
        manage("issue_session", "ada@demo.example", env=env)
        admin = manage("issue_session", "elodie@demo.example", env=env).strip()
        foreign_token = manage("shell", "-v", "0", "-c", _INVITE_ELSEWHERE, env=env).strip()
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
            own = connection.execute(
                "SELECT id FROM organizations_organization WHERE name = 'Nordlys Logistikk'"
            ).fetchone()
        if row is None or own is None:
            sys.exit("The demo data holds no workspace that is foreign to Chioma.")
        workspace, organization, sign_in = row
        with running_server(env) as base_url:
            yield Target(
                base_url,
                session,
                "ada@demo.example",
                workspace,
                organization,
                sign_in,
                admin=admin,
                own_organization=own[0],
                stranger="dmitri@demo.example",
                foreign_token=foreign_token,
            )


_INVITE_ELSEWHERE = """
from accounts.sign_in.invitations import renew
from memberships.models import OrganizationInvitation
from organizations.models import Organization
organization = Organization.objects.get(name="Acme (staging)")
invitation = OrganizationInvitation(organization=organization, email="invited@staging.example", is_by_staff=True)
token = renew(invitation)
invitation.save()
print(token)
"""


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
    parser.add_argument("--only", default="", help="measure only the pairs whose names have this text")
    parser.add_argument("--tries", type=int, default=200, help="of each request (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order and the bootstrap (default: %(default)s)")
    arguments = parser.parse_args()
    needed = [arguments.email, arguments.session, arguments.workspace, arguments.organization, arguments.sign_in]
    if arguments.url and None in needed:
        parser.error("with a URL, --email, --session, --workspace, --organization and --sign-in are needed")
    rng = random.Random(arguments.seed)
    distinguished = False
    with given_target(arguments) if arguments.url else own_target() as target:
        say(f"{target.base_url}, {arguments.tries} tries of each")
        for pair in (pair for pair in pairs(target) if arguments.only in pair.name):
            distinguished |= report(pair, *measure(target, pair, tries=arguments.tries, rng=rng), rng)
    return int(distinguished)


if __name__ == "__main__":
    sys.exit(main())
