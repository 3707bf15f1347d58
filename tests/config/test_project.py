"""Rules for the project as a whole: settings, documents, migrations, names of tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import call_command
from hypothesis import settings

from api.errors import Problem
from api.openapi import error_table
from config.environment import BASE_DIR, NAMES
from tests.support.starting import PRODUCTION, Starts


def test_every_name_of_a_test_is_a_sentence_of_at_most_75_characters() -> None:
    for path in (BASE_DIR / "tests").rglob("test_*.py"):
        for name in re.findall(r"(?m)^ *def (test_\w+)", path.read_text()):
            assert len(name) <= 75, f"{path.name}: {name} has {len(name)}"


def test_no_property_fails_for_want_of_time() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None
    for path in (BASE_DIR / "tests").rglob("*.py"):
        assert not re.search(r"deadline=[0-9t]", path.read_text()), path


def test_production_settings_pass_djangos_deployment_checks(starts: Starts) -> None:
    result = starts.manage("check", "--deploy", "--fail-level", "WARNING")
    assert result.returncode == 0, result.stderr
    assert "no issues (2 silenced)" in result.stdout  # config.settings.security says which, and why


def test_a_weak_secret_key_is_refused_with_the_way_to_a_good_one(starts: Starts) -> None:
    refused = starts.manage("check", SECRET_KEY="x")
    command = re.search(r"python3 -c '([^']+)'", refused.stderr)
    assert command is not None
    good = starts.run(command[1], env={}).stdout.strip()
    assert starts.setting("s.SECRET_KEY", SECRET_KEY=good) == good


@pytest.mark.parametrize(("value", "expected"), [("", "False"), ("true", "True")])
def test_browsers_are_asked_to_preload_the_host_only_on_demand(starts: Starts, value: str, expected: str) -> None:
    assert starts.setting("s.SECURE_HSTS_PRELOAD", HSTS_PRELOAD=value) == expected


WRONG = {
    "PORT": ["http", "70000"],
    "WORKERS": ["0"],
    "DEMO": ["perhaps"],
    "LOG_LEVEL": ["LOUD"],
    "TRUSTED_PROXIES": ["10.0.0.0/8,the proxy"],
    "KEY_ENCRYPTION_KEYS": ["short"],
    "DATABASE_URL": ["mysql://root@localhost/db", "nonsense"],
    "DATABASE_CONNECT_TIMEOUT": ["soon"],
    "SECRET_KEY": [
        *("", "x", "x" * 100, "password" * 10, "0123456789abcdef"),
        "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz0123456789",
    ],
    "HSTS_PRELOAD": ["perhaps"],
    "EMAIL_URL": [
        *("mail.example.com", "smtp://", "smtp://mail.example.com:no", "smtp://mail.example.com/folder"),
        *("smtp://mail.example.com?tls=no", "smtps://mail.example.com?starttls=no", "file://folder"),
    ],
    "MAIL_SENDER": ["nobody"],
}


@pytest.mark.parametrize("round_", range(7))
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(starts: Starts, round_: int) -> None:
    """A start names all of them, so that each is tried with one value of each."""
    wrong = {name: values[round_] for name, values in WRONG.items() if round_ < len(values)}
    result = starts.manage("check", **wrong)
    assert result.returncode != 0
    lines = result.stderr.strip().splitlines()
    assert len(lines) == len(wrong)
    for name in wrong:
        assert [line for line in lines if re.search(rf"\b{name}\b", line)], (name, wrong[name], lines)


@pytest.mark.parametrize("name", ["SECRET_KEY", "KEY_ENCRYPTION_KEYS"])
def test_secrets_have_no_default(starts: Starts, name: str) -> None:
    without = {variable: value for variable, value in PRODUCTION.items() if variable != name}
    result = starts.run("manage.main()", "check", env=without)
    assert result.returncode != 0
    assert len(result.stderr.strip().splitlines()) == 1
    assert name in result.stderr


def test_the_demo_data_is_not_loaded_in_production(starts: Starts) -> None:
    result = starts.manage("load_demo")
    assert result.returncode != 0
    assert "DEMO" in result.stderr


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    documented = re.findall(r"(?m)^\| `([A-Z_]+)` \|", _text("docs/configuration.md"))
    assert sorted(documented) == sorted(NAMES)


def test_the_page_of_errors_is_the_catalogue() -> None:
    assert error_table(Problem) in _text("docs/errors.md")


def test_error_codes_are_unique_and_carry_their_status() -> None:
    codes = [problem.code for problem in Problem]
    assert len(codes) == len(set(codes))
    assert all(400 <= problem.status <= 599 for problem in Problem)


@pytest.mark.django_db
def test_the_models_have_all_their_migrations() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_migrations_add_no_trigger_constraint_or_index_the_slow_way() -> None:
    slow = re.compile(r"pgtrigger\.migrations\.|[^.]migrations\.(?:AddConstraint|AddIndex)\(")
    for path in BASE_DIR.glob("[a-z]*/migrations/0*.py"):
        assert not slow.search(path.read_text()), f"{path}: put database.operations in its place"


def test_links_between_documents_lead_somewhere() -> None:
    for page in [BASE_DIR / "README.md", BASE_DIR / "CHANGELOG.md", *(BASE_DIR / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def _text(path: str) -> str:
    return (Path(BASE_DIR) / path).read_text()
