"""``ui_settings`` and ``restrictions`` of GET /deployment: nothing in them makes a front-end go round for ever."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Deployment
from accounts.values.front_ends import OPTIONAL_URLS, PAGES, ui_settings
from tests.support.admin import errors, form_at, saved, send, url
from tests.support.api import ApiClient, data_of
from tests.support.cases import each
from tests.support.database import refused
from tests.support.factories import DeploymentFactory


def shown(deployment: Deployment) -> Any:
    return data_of(ApiClient(deployment).get("/deployment"))


@each(
    ("origins", "base", "host"),
    [
        ([], "https://d.example.com", "d.example.com"),
        (["https://app.example.com"], "https://app.example.com", "app.example.com"),
        (["http://localhost:5173", "https://app.example.com"], "http://localhost:5173", "localhost:5173"),
        (["capacitor://localhost", "http://127.0.0.1:3000"], "http://127.0.0.1:3000", "127.0.0.1:3000"),
        (["capacitor://localhost"], "https://d.example.com", "d.example.com"),
    ],
)
def test_every_page_is_by_default_one_of_the_first_front_end(
    db: None, origins: list[str], base: str, host: str
) -> None:
    data = shown(DeploymentFactory.create(host="d.example.com", allowed_origins=origins))
    settings = data["ui_settings"]
    assert settings["sign_in_page_url"] == f"{base}/sign-in"
    assert settings["after_signin_redirect_url"] == f"{base}/"
    assert data["frontend_host"] == host
    for name in PAGES:
        assert settings[name].startswith(f"{base}/")
    for name in OPTIONAL_URLS:
        assert settings[name] == ""
    assert settings["signup_terms_statement_shown"] is False


def test_staff_set_an_address_and_a_front_end_sees_it_at_once(admin_client: Client, deployment: Deployment) -> None:
    client = ApiClient(deployment)
    client.get("/deployment")
    sign_in = "https://app.example.com/login?from=x"
    form = {"sign_in_page_url": sign_in, "signup_terms_statement": "You agree.", "sign_up_mode": "open"}
    assert saved(send(admin_client, url(deployment, "change"), **form))
    data = data_of(client.get("/deployment"))
    assert data["ui_settings"]["sign_in_page_url"] == sign_in
    assert data["ui_settings"]["signup_terms_statement_shown"] is True
    assert data["restrictions"]["sign_up_mode"] == "public"
    page = admin_client.get(url(deployment, "change")).content.decode()
    assert f'value="{sign_in}"' in page
    assert saved(send(admin_client, url(deployment, "change"), sign_in_page_url=""))
    assert data_of(client.get("/deployment"))["ui_settings"]["sign_in_page_url"].endswith("/sign-in")


@each(("mode", "told"), [("closed", "restricted"), ("invitation", "waitlist"), ("open", "public")])
def test_a_front_end_is_told_who_may_sign_up(db: None, mode: str, told: str) -> None:
    assert shown(DeploymentFactory.create(sign_up_mode=mode))["restrictions"]["sign_up_mode"] == told


def test_an_address_that_is_none_is_refused(admin_client: Client, deployment: Deployment) -> None:
    page = url(deployment, "change")
    form = form_at(admin_client, page)
    for address in (
        "/sign-in",
        "app.example.com",
        "javascript:alert(1)",
        "https://",
        "https://a b",
        "ftp://a.example/",
    ):
        response = admin_client.post(page, form | {"sign_in_page_url": address})
        assert "must be an address such as https://app.example.com/sign-in" in errors(response), address


@pytest.mark.parametrize("page", ["sign_in_page_url", "sign_up_page_url"])
def test_the_page_after_signing_in_is_not_the_one_for_it(
    admin_client: Client, deployment: Deployment, page: str
) -> None:
    same = ui_settings(deployment)[page]
    response = send(admin_client, url(deployment, "change"), after_signin_redirect_url=same)
    assert "round for ever" in errors(response)


def test_people_without_an_invitation_are_not_sent_to_the_page_they_come_from(
    admin_client: Client, deployment: Deployment
) -> None:
    same = ui_settings(deployment)["sign_up_page_url"]
    response = send(admin_client, url(deployment, "change"), waitlist_page_url=same)
    assert "round for ever" in errors(response)
    assert saved(send(admin_client, url(deployment, "change"), waitlist_page_url="https://example.com/waitlist"))


@each(("mode", "required"), [("closed", False), ("invitation", True), ("open", True)])
def test_an_address_is_required_wherever_people_sign_up(db: None, mode: str, required: bool) -> None:
    settings = shown(DeploymentFactory.create(sign_up_mode=mode))["auth_settings"]
    assert settings["email_address"] == {"enabled": True, "required": required}
    assert settings["verification_policy"] == {"phone_number": False, "email": required}
    assert settings["password_policy"] == {"enabled": True, "required": True}


@pytest.mark.parametrize("difficulty", [0, 7])
def test_a_challenge_that_nobody_could_solve_is_refused(deployment: Deployment, difficulty: int) -> None:
    with refused("accounts_deployment_challenge_can_be_solved"):
        Deployment.objects.update(challenge_difficulty=difficulty)


def test_what_raw_sql_wrote_empties_no_address(deployment: Deployment) -> None:
    Deployment.objects.update(ui_settings={"sign_in_page_url": "", "nonsense": "x"})
    settings = shown(deployment)["ui_settings"]
    assert settings["sign_in_page_url"].endswith("/sign-in")
    assert "nonsense" not in settings
