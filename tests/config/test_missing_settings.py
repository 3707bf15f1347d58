"""Missing and wrong settings are all named at once, with commands that make them."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.support.starting import Starts

REQUIRED = ["DATABASE_URL", "KEY_ENCRYPTION_KEYS", "SECRET_KEY"]


def lines_of(starts: Starts, **environment: str) -> list[str]:
    """The lines in which a start with these variables is refused."""
    result = starts.manage("check", **environment)
    assert result.returncode != 0
    return result.stderr.strip().splitlines()


def test_all_missing_and_wrong_settings_are_named_at_once(starts: Starts) -> None:
    lines = lines_of(
        starts, SECRET_KEY="", KEY_ENCRYPTION_KEYS="", DATABASE_URL="mysql://root@localhost/db", PORT="x", DEMO="1"
    )
    assert len(lines) == 5
    for name in ("SECRET_KEY", "KEY_ENCRYPTION_KEYS", "DATABASE_URL", "PORT", "DEMO_PASSWORD"):
        assert sum(f"{name} " in line.replace('"', " ") for line in lines) == 1


def test_the_named_commands_make_the_missing_settings(starts: Starts) -> None:
    made = {}
    for line in lines_of(starts, SECRET_KEY="", KEY_ENCRYPTION_KEYS=""):
        name, command = re.findall(r"(\w+) is not set: make one by (python3 -c '.*')", line)[0]
        made[name] = subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout.strip()
    assert set(made) == {"SECRET_KEY", "KEY_ENCRYPTION_KEYS"}
    assert starts.manage("check", **made).returncode == 0


def test_the_former_name_of_a_setting_stops_the_start_with_the_new_one(starts: Starts) -> None:
    (line,) = lines_of(starts, STAFF_SECOND_FACTOR_REQUIRED="false")
    assert "STAFF_SECOND_FACTOR_REQUIRED is wrong: it is called STAFF_MFA_REQUIRED now" in line


@pytest.mark.parametrize("command", ["serve", "migrate", "issue_session"])
def test_every_command_names_them(starts: Starts, command: str) -> None:
    result = starts.manage(command, *["x"] * (command == "issue_session"), SECRET_KEY="", KEY_ENCRYPTION_KEYS="")
    assert len(result.stderr.strip().splitlines()) == 2
    assert "Traceback" not in result.stderr


def test_without_the_wheel_a_database_is_asked_for(starts: Starts) -> None:
    program = "from config import local_postgres; local_postgres.find_spec = lambda _: None; manage.main()"
    result = starts.run(program, "check", env={"ENV_FILE": os.devnull})
    assert [name for name in REQUIRED if f"{name} is not set" in result.stderr] == REQUIRED
    assert len(result.stderr.strip().splitlines()) == 3
