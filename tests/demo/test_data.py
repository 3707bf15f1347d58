"""The demo data."""

from __future__ import annotations

import base64

import pytest
from django.conf import settings
from django.core.management import call_command

from accounts.models import Deployment, User
from demo.management.commands.quickstart import banner
from memberships.models import WorkspaceMembership
from tests.support.api import ApiClient, memberships

pytestmark = [pytest.mark.usefixtures("demo_rows"), pytest.mark.django_db]


def user(name: str) -> User:
    return User.objects.get(username=name)


def test_it_can_be_loaded_again_and_changes_nothing() -> None:
    WorkspaceMembership.objects.filter(user__username="bo").delete()
    before = WorkspaceMembership.objects.count()
    call_command("load_demo")
    assert WorkspaceMembership.objects.count() == before


def test_it_has_a_production_and_a_staging_deployment() -> None:
    assert set(Deployment.objects.values_list("host", "mode")) == {
        ("127.0.0.1", "production"),
        ("staging.localhost", "staging"),
    }


@pytest.mark.parametrize(("name", "number"), [("bo", 0), ("chioma", 1), ("ada", 7), ("dmitri", 60)])
def test_users_have_none_one_several_and_sixty_memberships(name: str, number: int) -> None:
    assert len(memberships(user(name), REMOTE_ADDR="127.0.0.1")) == number


def test_every_outcome_can_be_reached_from_here() -> None:
    outcomes = {item["eligibility_restriction"]["type"] for item in memberships(user("ada"), REMOTE_ADDR="127.0.0.1")}
    assert outcomes == {"none", "ip_not_allowed", "mfa_required", "ip_and_mfa_required"}


def test_an_administrator_is_never_restricted() -> None:
    assert {item["eligibility_restriction"]["type"] for item in memberships(user("elodie"))} == {"none"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:8000"])
def test_it_answers_at_both_local_hosts(host: str) -> None:
    assert ApiClient(user("chioma").deployment, user("chioma")).get(HTTP_HOST=host).status_code == 200


def test_a_front_end_in_development_may_call_it_and_the_banner_has_its_key() -> None:
    answer = ApiClient(user("chioma").deployment, user("chioma")).get(
        HTTP_HOST="localhost:8000", HTTP_ORIGIN="http://localhost:5173"
    )
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"
    key = base64.b64encode(f"http://localhost:{settings.PORT}".encode()).decode()
    line = f"http://localhost:5173 may call http://localhost:{settings.PORT}, publishable key pk_live_{key}"
    assert line in banner()
    Deployment.objects.update(allowed_origins=[])
    assert "publishable key" not in banner()
