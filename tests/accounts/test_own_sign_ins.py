"""GET /me/signins and POST /me/signins/{id}/signout: where one is signed in, and ending that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.answers.browsers import browser_of, device_of
from accounts.models import Deployment, Session, SignIn, User
from tests.support.api import RFC3339_UTC, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import UserFactory
from tests.support.sign_in import session_data, sign_in, signed_in, user_with_password

NOT_FOUND = 40404
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def ada(deployment: Deployment) -> User:
    return user_with_password(deployment)


def test_the_sign_ins_of_all_browsers_are_shown_newest_first(ada: User) -> None:
    signed_in(ada)
    client = signed_in(ada, HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR="198.51.100.7")
    signed_in(user_with_password(ada.deployment))
    newest, oldest = SignIn.objects.filter(user=ada).order_by("-pk")
    shown = data_of(client.get("/me/signins"))
    assert [one["id"] for one in shown] == [str(newest.pk), str(oldest.pk)]
    times = {name: shown[0].pop(name) for name in ("last_active_at", "expires_at", "created_at")}
    assert all(RFC3339_UTC.fullmatch(time) for time in times.values())
    assert shown[0] == {
        "id": str(newest.pk),
        "session_id": str(newest.session_id),
        "user_id": str(ada.pk),
        "browser": "Firefox",
        "device": "Linux",
        "ip_address": "198.51.100.7",
        "city": "",
        "region": "",
        "region_code": "",
        "country": "",
        "country_code": "",
    }


def test_the_session_too_names_the_browser_not_its_user_agent(ada: User) -> None:
    shown = session_data(signed_in(ada, HTTP_USER_AGENT=FIREFOX))["active_signin"]
    assert (shown["browser"], shown["device"]) == ("Firefox", "Linux")


@each("over", ["sign-in ended", "sign-in expired", "session ended", "session expired"])
def test_a_sign_in_that_is_over_is_not_shown(ada: User, over: str) -> None:
    signed_in(ada)
    client = signed_in(ada)
    first = SignIn.objects.filter(user=ada).earliest("pk")
    rows: Any = SignIn.objects.filter(pk=first.pk)
    if over.startswith("session"):
        rows = Session.objects.filter(pk=first.session_id)
    moment = timezone.now() - timedelta(seconds=1)
    rows.update(**({"ended_at": moment} if over.endswith("ended") else {"expires_at": moment}))
    assert len(data_of(client.get("/me/signins"))) == 1


def test_a_user_ends_a_sign_in_of_another_browser(ada: User) -> None:
    other, client = signed_in(ada), signed_in(ada)
    (_, first) = data_of(client.get("/me/signins"))
    assert data_of(client.post(f"/me/signins/{first['id']}/signout")) is None
    assert error_code(other.get("/me")) == 40104
    assert len(data_of(client.get("/me/signins"))) == 1
    assert error_code(client.post(f"/me/signins/{first['id']}/signout")) == NOT_FOUND


def test_ending_the_present_sign_in_signs_this_browser_out(ada: User) -> None:
    client = signed_in(ada)
    before = client.token
    (own,) = data_of(client.get("/me/signins"))
    assert data_of(client.post(f"/me/signins/{own['id']}/signout")) is None
    assert client.token != before
    assert session_data(client)["active_signin"] is None
    assert error_code(ApiClient(ada.deployment, token=before).get("/me")) == 40104


def test_another_user_of_the_session_stays_signed_in(ada: User) -> None:
    grace = user_with_password(ada.deployment)
    client = signed_in(grace)
    sign_in(client, ada)
    (own,) = data_of(client.get("/me/signins"))
    assert data_of(client.post(f"/me/signins/{own['id']}/signout")) is None
    assert data_of(client.get("/me"))["id"] == str(grace.pk)


def test_nobody_ends_the_sign_in_of_somebody_else(ada: User) -> None:
    other = UserFactory.create(deployment=ada.deployment)
    theirs = ApiClient(ada.deployment, other)
    id_ = SignIn.objects.get(user=other).pk
    assert error_code(signed_in(ada).post(f"/me/signins/{id_}/signout")) == NOT_FOUND
    assert theirs.get("/me").status_code == 200


@each("id_", ["0", str(2**63 - 1), str(2**63), "9" * 40, "x"])
def test_an_id_that_nothing_has_is_not_found(ada: User, id_: str) -> None:
    assert signed_in(ada).post(f"/me/signins/{id_}/signout").status_code == 404


@each(
    ("user_agent", "browser", "device"),
    [
        (FIREFOX, "Firefox", "Linux"),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
                "Safari/537.36 Edg/140.0.0.0"
            ),
            "Edge",
            "Windows",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile "
                "Safari/537.36"
            ),
            "Chrome",
            "Android",
        ),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
                "Version/18.6 Mobile/15E148 Safari/604.1"
            ),
            "Safari",
            "iPhone",
        ),
        (
            (
                "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 "
                "Mobile/15E148 Safari/604.1"
            ),
            "Chrome",
            "iPad",
        ),
        (
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/140.0.0.0 Safari/537.36 OPR/122.0.0.0"
            ),
            "Opera",
            "Mac",
        ),
        ("curl/8.5.0", "curl", ""),
        ("Mozilla/5.0", "", ""),
        ("<script>/1", "", ""),
        ("", "", ""),
    ],
)
def test_browsers_and_devices_have_names(user_agent: str, browser: str, device: str) -> None:
    assert (browser_of(user_agent), device_of(user_agent)) == (browser, device)
