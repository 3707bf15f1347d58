"""Many requests at the same moment, sent to the real server: nobody loses a session, nothing is taken twice."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from io import StringIO
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.authentication import sessions
from accounts.authentication.sent_tokens import COOKIE
from accounts.credentials.hashers import Argon2idHasher
from accounts.credentials.mfa import new_backup_codes
from accounts.models import Deployment, Session, SignIn, SignInAttempt, User
from accounts.sign_in import signing_in
from accounts.tokens import keys, session_tokens
from tests.support.api import MEMBERSHIPS
from tests.support.factories import UserFactory, confirmed_authenticator, session_of
from tests.support.server import PATIENCE, demo_environment, running_server, wait_until
from tests.support.sign_in import totp

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 50
WORKERS, THREADS = 2, 4
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Reply:
    status: int
    token: str
    """The session token that came in the cookie, "" if none did."""
    body: Any


class Browser:
    """One connection to the server, as a page of the deployment; it keeps no cookies."""

    def __init__(self, base_url: str, host: str) -> None:
        url = urlsplit(base_url)
        self._connection = HTTPConnection(str(url.hostname), url.port, timeout=PATIENCE)
        self._host = host

    def get(self, path: str, token: str = "") -> Reply:
        return self._send("GET", path, token, {})

    def post(self, path: str, token: str = "", **form: str) -> Reply:
        return self._send("POST", path, token, form)

    def sign_in(self, user: User, token: str = "") -> Reply:
        return self.post("/auth/signin", token, strategy="plain_email", email=user.email, password=PASSWORD)

    def close(self) -> None:
        self._connection.close()

    def _send(self, method: str, path: str, token: str, form: dict[str, str]) -> Reply:
        headers = {"Host": self._host, "Origin": f"http://{self._host}"}
        if token:
            headers["Cookie"] = f"{COOKIE}={token}"
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, urlencode(form) or None, headers)
        response = self._connection.getresponse()
        cookie = SimpleCookie(response.headers.get("Set-Cookie", "")).get(COOKIE)
        return Reply(response.status, cookie.value if cookie else "", json.loads(response.read()))


Open = Callable[[], Browser]


@pytest.fixture(scope="module")
def base_url(django_db_setup: None) -> Iterator[str]:
    """A server of several processes and threads on the tests' own database, with the tests' own secrets."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    own = {name: os.environ[name] for name in ("SECRET_KEY", "KEY_ENCRYPTION_KEYS")}
    unlimited = {"SIGN_IN_FAILURES_PER_ACCOUNT": "1000000", "SIGN_IN_FAILURES_PER_ADDRESS": "1000000"}
    size = {"WORKERS": str(WORKERS), "THREADS": str(THREADS)}
    with running_server(demo_environment(url) | own | unlimited | size) as server:
        yield server


class CheapHasher(Argon2idHasher):
    """Its hashes are good at the server, which then spends its time on the code that may collide, not on hashing."""

    memory_cost = 8


@pytest.fixture
def user() -> User:
    """One who can sign in at the server."""
    return UserFactory.create(password=CheapHasher().encode(PASSWORD, "a salt for tests"))


@pytest.fixture
def new_browser(base_url: str, user: User) -> Open:
    return lambda: Browser(base_url, user.deployment.host)


def at_once(
    new_browser: Open, do: Callable[[Browser, int], Reply], *, contended: QuerySet[Any] | None = None
) -> list[Reply]:
    """The results of ``AT_ONCE`` browsers, numbered from 0, that all do the same at the same moment.

    The rows of ``contended`` are locked until several requests wait to write them: so they do meet there.
    """
    start = threading.Barrier(AT_ONCE)

    def run(number: int) -> Reply:
        with closing(new_browser()) as browser:
            start.wait()
            return do(browser, number)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        with transaction.atomic():
            if contended is not None:
                assert list(contended.select_for_update())
            answers = threads.map(run, range(AT_ONCE))  # begins now
            if contended is not None:
                wait_until(lambda: requests_waiting() >= THREADS, "requests meet at the lock")
        return list(answers)


def requests_waiting() -> int:
    """The number of the server's connections that wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def statuses(answers: list[Reply]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


def require_signed_in(new_browser: Open, user: User, given: list[str]) -> None:
    """Fail unless each of the tokens is one by which ``user`` is signed in."""
    with closing(new_browser()) as browser:
        for token in set(given):
            answer = browser.get("/me", token)
            assert answer.status == 200, answer.body
            assert answer.body["data"]["id"] == str(user.pk)


def aged_token(session: Session) -> str:
    """The session's current token, of so long ago that it is due for renewal."""
    claims = {"sess": str(session.pk), "ser": session.token_serial, "iat": int(time.time()) - 24 * 3600}
    return session_tokens.sign(session.deployment, claims, expires_at=session.expires_at)


def test_sign_ins_to_one_account_at_once_all_succeed(new_browser: Open, user: User) -> None:
    answers = at_once(new_browser, lambda browser, _: browser.sign_in(user))
    assert statuses(answers) == {200: AT_ONCE}
    assert len({answer.body["data"]["id"] for answer in answers}) == AT_ONCE
    require_signed_in(new_browser, user, [answer.token for answer in answers])


def test_renewals_of_one_token_at_once_sign_nobody_out(new_browser: Open, user: User) -> None:
    session = session_of(user)
    old = aged_token(session)
    answers = at_once(new_browser, lambda browser, _: browser.get(MEMBERSHIPS, old))
    assert statuses(answers) == {200: AT_ONCE}
    assert all(answer.token for answer in answers)
    require_signed_in(new_browser, user, [*(answer.token for answer in answers), old])
    session.refresh_from_db()
    assert session.ended_at is None
    assert session.token_serial == 2


def test_old_and_new_tokens_at_once_sign_nobody_out(new_browser: Open, user: User) -> None:
    """A lost answer, two tabs, a slow network: some requests carry the token that others have had replaced."""
    session = session_of(user)
    old = aged_token(session)
    with closing(new_browser()) as browser:
        new = browser.get(MEMBERSHIPS, old).token
    answers = at_once(new_browser, lambda browser, number: browser.get(MEMBERSHIPS, (old, new)[number % 2]))
    assert statuses(answers) == {200: AT_ONCE}
    require_signed_in(new_browser, user, [answer.token for answer in answers if answer.token])
    session.refresh_from_db()
    assert session.token_serial == 2


@pytest.mark.parametrize("kind", ["backup code", "authenticator"])
def test_one_code_at_once_lets_one_in(new_browser: Open, user: User, kind: str) -> None:
    contended: QuerySet[Any]
    confirmed_authenticator(user)
    if kind == "backup code":
        code, contended = new_backup_codes(user)[0], user.backup_codes.all()
    else:
        code, contended = totp(), user.authenticators.all()
    attempts = [pending_attempt(user) for _ in range(AT_ONCE // signing_in.MAX_CODE_FAILURES)]

    def verify(browser: Browser, number: int) -> Reply:
        attempt, token = attempts[number % len(attempts)]
        query = f"attempt_identifier={attempt.pk}&identifier_type=signin"
        return browser.post(f"/auth/attempt-verification?{query}", token, verification_code=code)

    answers = at_once(new_browser, verify, contended=contended)
    assert statuses(answers) == {200: 1, 401: AT_ONCE - 1}
    assert {answer.body["errors"][0]["code"] for answer in answers if answer.status == 401} <= {40109, 40110, 40111}
    assert SignIn.objects.count() == 1
    assert SignInAttempt.objects.filter(completed_at__isnull=False).count() == 1
    require_signed_in(new_browser, user, [answer.token for answer in answers if answer.status == 200])


def pending_attempt(user: User) -> tuple[SignInAttempt, str]:
    """A sign-in that awaits an MFA code, and the token of its session."""
    expires_at = timezone.now() + sessions.PENDING_LIFETIME
    session = Session.objects.create(deployment=user.deployment, expires_at=expires_at)
    attempt = session.sign_in_attempts.create(
        deployment=user.deployment, user=user, method=SignInAttempt.Method.EMAIL, expires_at=expires_at
    )
    return attempt, sessions.session_token(session)


def test_wrong_codes_at_once_get_no_more_tries_than_one_after_the_other(new_browser: Open, user: User) -> None:
    confirmed_authenticator(user)
    attempt, token = pending_attempt(user)
    path = f"/auth/attempt-verification?attempt_identifier={attempt.pk}&identifier_type=signin"
    answers = at_once(new_browser, lambda browser, _: browser.post(path, token, verification_code="wrong"))
    codes = Counter(answer.body["errors"][0]["code"] for answer in answers)
    assert codes == {40109: signing_in.MAX_CODE_FAILURES, 40110: AT_ONCE - signing_in.MAX_CODE_FAILURES}


def test_sign_ins_with_one_visitors_cookie_at_once_all_succeed(new_browser: Open, user: User) -> None:
    with closing(new_browser()) as browser:
        visitor = browser.get("/session").token
    assert visitor
    answers = at_once(new_browser, lambda browser, _: browser.sign_in(user, visitor))
    assert statuses(answers) == {200: AT_ONCE}
    require_signed_in(new_browser, user, [answer.token for answer in answers])


@pytest.mark.parametrize("who", ["the same user", "another user"])
def test_sign_ins_with_one_signed_in_cookie_at_once_all_succeed(new_browser: Open, user: User, who: str) -> None:
    first = user if who == "the same user" else UserFactory.create(deployment=user.deployment)
    session = session_of(first)
    token = sessions.session_token(session)
    answers = at_once(new_browser, lambda browser, _: browser.sign_in(user, token))
    assert statuses(answers) == {200: AT_ONCE}
    require_signed_in(new_browser, user, [answer.token for answer in answers])
    session.refresh_from_db()
    assert session.ended_at is None
    live = sessions.live_sign_ins(session)
    assert set(live.values_list("user_id", flat=True)) == {first.pk, user.pk}
    assert live.count() == len({first.pk, user.pk})


@pytest.mark.parametrize("path", ["/session", "/.well-known/jwks.json"])
def test_the_first_requests_at_once_make_one_signing_key(new_browser: Open, user: User, path: str) -> None:
    deployment = Deployment.objects.filter(pk=user.deployment_id)
    user.deployment.signing_keys.all().delete()
    answers = at_once(new_browser, lambda browser, _: browser.get(path), contended=deployment)
    assert statuses(answers) == {200: AT_ONCE}
    key = user.deployment.signing_keys.get()
    with closing(new_browser()) as browser:
        assert [jwk["kid"] for jwk in browser.get("/.well-known/jwks.json").body["keys"]] == [key.kid]
    assert {jwt.get_unverified_header(answer.token)["kid"] for answer in answers if answer.token} <= {key.kid}


def test_rotations_at_once_leave_one_key_that_signs(user: User) -> None:
    at_the_lock = 4

    def rotate(_: int) -> str:
        with closing(connections["default"]):
            return keys.rotate_keys(user.deployment).kid

    with ThreadPoolExecutor(at_the_lock) as threads:
        with transaction.atomic():
            assert Deployment.objects.select_for_update().get(pk=user.deployment_id)
            rotations = threads.map(rotate, range(at_the_lock))
            wait_until(lambda: requests_waiting() == at_the_lock, "the rotations meet at the lock")
        kids = list(rotations)
    signing = user.deployment.signing_keys.filter(retired_at__isnull=True)
    assert signing.get().kid in kids
    assert user.deployment.signing_keys.count() == 1 + at_the_lock


def test_keys_can_be_rotated_under_load(new_browser: Open, user: User) -> None:
    """A token signed at any moment is good at any other, here and for verifiers by the JWKS."""
    requests, threads_number = 1000, 8
    session = session_of(user)
    first = sessions.session_token(session)
    numbers = itertools.count()
    kids = set()

    def run(_: int) -> list[int]:
        seen = []
        with closing(new_browser()) as browser:
            while (number := next(numbers)) < requests:
                if number in (requests // 3, requests * 2 // 3):
                    call_command("rotate_keys", user.deployment.host, stdout=StringIO())
                    connections.close_all()
                match number % 4:
                    case 0:
                        answer = browser.get("/session/token", first)
                        access_token = answer.body["data"]["token"]
                        jwks = jwt.PyJWKSet.from_dict(browser.get("/.well-known/jwks.json").body)
                        kid = jwt.get_unverified_header(access_token)["kid"]
                        jwt.decode(
                            access_token, jwks[kid].key, algorithms=["ES256"], leeway=5, audience=user.deployment.issuer
                        )
                        kids.add(kid)
                    case 1:
                        answer = browser.get("/session", "")
                        answer = browser.get("/session", answer.token)
                        assert not answer.token, "a visitor's good token is not replaced"
                    case _:
                        answer = browser.get(MEMBERSHIPS, first)
                seen.append(answer.status)
        return seen

    with ThreadPoolExecutor(threads_number) as threads:
        answers = Counter(status for seen in threads.map(run, range(threads_number)) for status in seen)
    assert answers == {200: requests}
    assert user.deployment.signing_keys.count() == 3
    assert len(kids) > 1  # one of them may have been the newest for less than a request
    newest = user.deployment.signing_keys.latest("pk")
    for _ in range(4):  # of whichever process
        with closing(new_browser()) as browser:
            token = browser.get("/session/token", first).body["data"]["token"]
            assert jwt.get_unverified_header(token)["kid"] == newest.kid
