"""manage.py import_memberships"""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Deployment, User
from memberships.import_export.cells import COLUMNS
from memberships.models import WorkspaceMembership
from organizations.models import Organization, Workspace
from tests.support.cases import each
from tests.support.factories import (
    UserFactory,
    WorkspaceFactory,
)
from tests.support.importing import lines


def command(path: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and error."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_memberships", str(path), *arguments, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), f"{err.getvalue()}{error}"
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def file(tmp_path: Path, vault: Workspace, ada: User) -> Path:
    path = tmp_path / "members.csv"
    path.write_text(lines("Acme,Vault,ada,Admin,,"))
    return path


def test_the_command_imports_with_a_progress_bar(file: Path) -> None:
    code, out, err = command(file)
    assert (code, "Saved: " in out, "100%" in err) == (0, True, True)
    assert WorkspaceMembership.objects.count() == 1


def test_the_command_saves_nothing_in_a_dry_run(file: Path) -> None:
    code, out, _ = command(file, "--dry-run")
    assert (code, "Nothing was saved" in out) == (0, True)
    assert not WorkspaceMembership.objects.exists()


def test_the_command_names_bad_lines_and_leaves_a_file_of_them(file: Path) -> None:
    file.write_text(lines("Acme,Vault,ada,Admin,,", "Acme,Vault,bo,,,"))
    code, _, err = command(file)
    assert (code, "Line 3: There is no user “bo”" in err) == (1, True)
    assert not WorkspaceMembership.objects.exists()
    rejected = file.with_suffix(".rejected.csv").read_text("utf-8-sig").splitlines()
    assert len(rejected) == 2
    assert rejected[1].startswith("Acme,Vault,bo,,,,3,")


def test_the_command_can_save_the_good_lines_all_the_same(file: Path, tmp_path: Path) -> None:
    file.write_text(lines("Acme,Vault,bo,,,", "Acme,Vault,ada,Admin,,"))
    code, out, _ = command(file, "--skip-rejected", "--rejected", str(tmp_path / "again.csv"))
    assert (code, "Saved: " in out) == (1, True)
    assert WorkspaceMembership.objects.count() == 1
    UserFactory.create(deployment=Deployment.objects.get(), email="bo@example.com", username="bo")
    assert command(tmp_path / "again.csv")[0] == 0
    assert WorkspaceMembership.objects.count() == 2


@pytest.mark.parametrize("arguments", [["--host", "nowhere.example.com"], ["--rejected", "/nowhere/at/all"]])
def test_wrong_usage_of_the_command_exits_with_2(file: Path, arguments: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("import_memberships")
    assert caught.value.returncode == 2
    file.write_text(lines("Acme,Vault,bo,,,"))
    assert command(file, *arguments)[0] == 2
    assert command(file.with_name("missing.csv"))[0] == 2


@each("content", [b"", b"name\n", "organization,user\nå,å\n".encode("windows-1252")])
def test_the_command_names_no_file_of_rejected_lines_where_there_are_none(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    code, out, err = command(file)
    assert (code, out) == (1, "The file was not imported. Nothing was saved.\n")
    assert err.endswith("There are no rejected lines: put the file right and import it again.")
    assert not file.with_suffix(".rejected.csv").exists()


def test_the_command_prints_a_sample_that_is_read(file: Path, ada: User, acme: Organization) -> None:
    out = io.StringIO()
    call_command("import_memberships", "--sample", stdout=out)
    assert out.getvalue().splitlines()[0].split(",") == list(COLUMNS)
    WorkspaceFactory.create(organization=acme, name="Harbour")
    UserFactory.create(deployment=ada.deployment, username="bo")
    ada.deployment.aliases.create(host="accounts.example.com")
    file.write_text(out.getvalue())
    assert command(file)[0] == 0
