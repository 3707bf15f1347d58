"""Memberships from CSV: all lines or none, every bad line named, and an export that imports as what it is."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import psycopg
import pytest
from django.core.management import CommandError, call_command

from accounts.models import Deployment, User
from memberships.import_export.cells import COLUMNS
from memberships.import_export.importing import Progress, Report, run_import
from memberships.import_export.rejecting import rejected_lines
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, Workspace
from tests.support.cases import each
from tests.support.database import execute
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
)

FORMS: list[tuple[Literal["NFC", "NFD"], Literal["NFC", "NFD"]]] = [("NFC", "NFD"), ("NFD", "NFC")]
HEADER = "organization,workspace,user,roles,organization_roles,public_metadata"


@pytest.fixture
def acme(deployment: Deployment) -> Organization:
    return OrganizationFactory.create(deployment=deployment, name="Acme")


@pytest.fixture
def vault(acme: Organization) -> Workspace:
    return WorkspaceFactory.create(organization=acme, name="Vault")


@pytest.fixture
def ada(deployment: Deployment) -> User:
    return UserFactory.create(deployment=deployment, email="ada@example.com", username="ada")


def run(content: str | bytes, **options: Any) -> Report:
    data = content if isinstance(content, bytes) else content.encode()
    *_, last = run_import(io.BytesIO(data), deployments=Deployment.objects.all(), **options)
    assert isinstance(last, Report)
    return last


def lines(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


def told(report: Report) -> dict[int, str]:
    return {error.line: error.message for error in report.errors}


def everything() -> list[Any]:
    """All that an import may write, with ids and times."""
    return [
        list(model.objects.order_by("pk").values("pk", "public_metadata", "updated_at", "roles"))
        for model in (OrganizationMembership, WorkspaceMembership)
    ]


def test_a_line_makes_a_member_of_the_workspace_and_of_its_organization(vault: Workspace, ada: User) -> None:
    report = run(lines('Acme,Vault,ada@example.com,Admin; Member,Member,"{""desk"": 7}"'))
    assert (report.saved, report.lines, report.errors) == (True, 1, [])
    membership = WorkspaceMembership.objects.get()
    assert (membership.user, membership.workspace, membership.public_metadata) == (ada, vault, {"desk": 7})
    assert sorted(membership.roles.values_list("name", flat=True)) == ["Admin", "Member"]
    above = OrganizationMembership.objects.get()
    assert (above.organization, above.public_metadata) == (vault.organization, {})
    assert list(above.roles.values_list("name", flat=True)) == ["Member"]
    vault.refresh_from_db()
    assert vault.member_count == 1


def test_a_line_without_workspace_is_about_the_organization(vault: Workspace, ada: User) -> None:
    assert run(lines('Acme,,ada,,Admin,"{""n"": 1}"')).saved
    assert OrganizationMembership.objects.get().public_metadata == {"n": 1}
    assert not WorkspaceMembership.objects.exists()


@each("name", ["ada@example.com", "ADA@Example.com", "ada", "Ada", "id", "#id"])
def test_a_user_is_named_by_address_username_or_id(vault: Workspace, ada: User, name: str) -> None:
    assert run(lines(f"Acme,Vault,{name.replace('id', str(ada.pk))},,,")).saved
    assert WorkspaceMembership.objects.get().user == ada


@each(
    "name",
    ["bo@xn--mnchen-3ya.example", "Bo@MU\u0308NCHEN.example", "\u200bame\u0301lie\u00a0", "AM\u00c9LIE"],
)
def test_a_user_is_found_by_any_spelling(vault: Workspace, ada: User, name: str) -> None:
    bo = UserFactory.create(deployment=ada.deployment, email="bo@m\u00fcnchen.example", username="am\u00e9lie")
    assert run(lines(f"Acme,Vault,{name},,,")).saved
    assert WorkspaceMembership.objects.get().user == bo


def test_places_and_roles_may_be_named_by_id(vault: Workspace, ada: User) -> None:
    role = WorkspaceRoleFactory.create(
        deployment=ada.deployment, organization=vault.organization, workspace=vault, name="A; B"
    )
    assert run(lines(f"#{vault.organization_id},#{vault.pk},ada,#{role.pk},,")).saved
    assert WorkspaceMembership.objects.get().roles.get() == role


def test_roles_given_are_the_roles_held_and_none_given_leaves_them(vault: Workspace, ada: User) -> None:
    run(lines("Acme,Vault,ada,Admin,,"))
    run(lines("Acme,Vault,ada,,,"))
    assert WorkspaceMembership.objects.get().roles.get().name == "Admin"
    report = run(lines("Acme,Vault,ada,Member,,"))
    assert WorkspaceMembership.objects.get().roles.get().name == "Member"
    assert (report.changes.roles_given, report.changes.roles_taken) == (1, 1)


def test_the_same_file_again_changes_nothing(vault: Workspace, ada: User) -> None:
    content = lines('Acme,Vault,ada,Admin,Member,"{""desk"": 7}"')
    run(content)
    before = everything()
    report = run(content)
    assert str(report.changes) == "no change"
    assert everything() == before


def test_a_dry_run_reports_what_the_import_would_do_and_does_nothing(vault: Workspace, ada: User) -> None:
    report = run(lines("Acme,Vault,ada,Admin,Member,"), dry_run=True)
    assert not report.saved
    assert "1 new member of workspaces" in report.outcome
    assert everything() == [[], []]


def test_every_bad_line_is_named_and_nothing_is_saved(vault: Workspace, ada: User) -> None:
    organization = vault.organization
    WorkspaceFactory.create(organization=organization, name="Twin")
    twin = WorkspaceFactory.create(organization=organization, name="Twin")
    UserFactory.create(deployment=ada.deployment, email="bo@example.com", username=str(ada.pk))
    OrganizationFactory.create(deployment=DeploymentFactory.create(), name="Elsewhere")
    report = run(
        lines(
            "Acme,Vault,ada,,,",  # 2: good
            "Nowhere,Vault,ada,,,",
            "Acme,Cellar,ada,,,",
            "Acme,Vault,nobody@example.com,,,",
            "Acme,Vault,bo@example.com,Boss; Admin,,",
            "Acme,,bo@example.com,,Boss,",
            "Acme,Twin,ada,,,",
            f"Acme,Vault,{ada.pk},,,",  # the id of one user, the username of another
            ",Vault,ada,,,",
            "Acme,Vault,,,,",
            "Acme,,ada,Admin,,",
            "Acme,Vault,bo@example.com,,,[1]",
            "Acme,Vault,bo@example.com,,",
            "Acme,Vault,ada@example.com,Admin,,",  # 15: the same as line 2
            "Elsewhere,Vault,ada,,,",
        ),
        default=ada.deployment,
    )
    assert {line: message.split(":")[0] for line, message in told(report).items()} == {
        3: "There is no organization “Nowhere” in the deployment.",
        4: "There is no workspace “Cellar” in the organization.",
        5: "There is no user “nobody@example.com” in the deployment",
        6: "There is no workspace role “Boss” that can be given here; roles are separated by semicolons.",
        7: "There is no organization role “Boss” that can be given here; roles are separated by semicolons.",
        8: "Several workspaces of the organization are called “Twin”",
        9: f"“{ada.pk}” means several users",
        10: "The cell “organization” is empty.",
        11: "The cell “user” is empty.",
        12: "“roles” are of a workspace, and the line names none",
        13: "“public_metadata”",
        14: "The line has 5 cells, but the first one names 6 columns.",
        15: "This is the same membership as in line 2",
        16: "There is no organization “Elsewhere” in the deployment.",
    }
    assert f"#{twin.pk - 1} or #{twin.pk}" in told(report)[8]
    assert everything() == [[], []]


def test_lines_about_one_member_must_give_the_same_organization_roles(vault: Workspace, ada: User) -> None:
    WorkspaceFactory.create(organization=vault.organization, name="Cellar")
    WorkspaceFactory.create(organization=vault.organization, name="Attic")
    report = run(lines("Acme,Vault,ada,,Admin,", "Acme,Cellar,ada,,Member,", "Acme,Attic,ada,,,"))
    assert list(told(report)) == [3]
    assert run(lines("Acme,Vault,ada,,Admin,", "Acme,Cellar,ada,,Admin,", "Acme,Attic,ada,,,")).saved


@each(
    "foreign",
    [
        lambda _: {"deployment": DeploymentFactory.create()},
        lambda workspace: {
            "deployment": workspace.organization.deployment,
            "organization": OrganizationFactory.create(deployment=workspace.organization.deployment),
        },
    ],
)
@each("reference", ["name", "id"])
def test_a_role_of_elsewhere_is_unknown_here(
    vault: Workspace, ada: User, foreign: Callable[[Workspace], dict[str, Any]], reference: str
) -> None:
    role = WorkspaceRoleFactory.create(name="Foreign", **foreign(vault))
    cell = "Foreign" if reference == "name" else f"#{role.pk}"
    assert "There is no workspace role" in told(run(lines(f"Acme,Vault,ada,{cell},,"), default=ada.deployment))[2]


def test_a_role_name_that_means_two_roles_is_refused(vault: Workspace, ada: User) -> None:
    own = OrganizationRoleFactory.create(deployment=ada.deployment, organization=vault.organization, name="Admin")
    message = told(run(lines("Acme,,ada,,Admin,")))[2]
    assert "Several organization roles" in message
    assert f"#{own.pk}" in message


def test_a_file_over_several_deployments_names_their_hosts(vault: Workspace, ada: User) -> None:
    host = ada.deployment.host
    ada.deployment.aliases.create(host="alias.example.com")
    DeploymentFactory.create()
    header = "deployment,organization,workspace,user"
    report = run(lines("nowhere.example.com,Acme,Vault,ada", ",Acme,Vault,ada", header=header))
    assert told(report) == {
        2: "There is no deployment at the host “nowhere.example.com”.",
        3: "Name the host of a deployment in the column “deployment”.",
    }
    assert run(lines(f"{host.upper()},Acme,Vault,ada", header=header)).saved
    assert str(run(lines("alias.example.com,Acme,Vault,ada", header=header)).changes) == "no change"


@each(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: text.replace("\n", "\n\n ,,\n").encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.replace("\n", ",,\n").encode(),
        lambda text: ("sep=;\n" + text.replace(",", ";")).encode(),
        lambda text: ('\n"SEP=;"\r\n' + text.replace(",", ";")).encode("utf-8-sig"),
        lambda text: ("sep=:\n" + text.replace(",", ":")).encode(),
        lambda text: text.replace("organization,workspace", '" Organization ",WORKSPACE').encode(),
    ],
)
def test_files_of_every_make_are_read(vault: Workspace, ada: User, encode: Callable[[str], bytes]) -> None:
    report = run(encode(lines("Acme, Vault ,ada", header="organization,workspace,user")))
    assert report.errors == []
    assert report.saved


def test_a_line_number_counts_empty_lines_and_line_breaks_within_cells(vault: Workspace, ada: User) -> None:
    content = lines("", ",,,,,", 'Acme,Vault,ada,,,"{\n""a"": 1\n}"', "", "Acme,Vault,nobody,,,")
    assert list(told(run(content))) == [8]


@each(
    ("row", "message"),
    [
        (b"Acme,Va\0ult,ada,,,", "NUL"),
        (b'Acme,"Vault" x,ada,,,', "quotation marks"),
        (b'Acme,Vault,ada,,,"{""a"": ""\\u0000""}"', "cannot be stored"),
        (b'Acme,Vault,ada,,,"{""a"": 1e999}"', "cannot be stored"),
        (b"Acme,Vault,\xf0\x9f\x92\xa9,,,", "There is no user “💩”".encode().decode()),
    ],
)
def test_a_value_that_cannot_be_stored_is_an_error_of_its_line(
    vault: Workspace, ada: User, row: bytes, message: str
) -> None:
    report = run(lines("Acme,Vault,ada,,,").encode() + row + b"\nAcme,Nowhere,ada,,,\n")
    assert sorted(told(report)) == [3, 4]
    assert message in told(report)[3]


def test_an_unclosed_quotation_mark_is_an_error_of_the_line_that_opens_it(vault: Workspace, ada: User) -> None:
    report = run(lines("Acme,Nowhere,ada,,,", 'Acme,"Vault,ada,,,', "Acme,Vault,ada,,,"))
    assert sorted(told(report)) == [2, 3]
    assert "never closed" in told(report)[3]


@each(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"organization,member\n", "Unknown columns: “member”. Missing columns: “user”."),
        (b"organization,workspace\n", "Missing columns: “user”."),
        (b"organization,,user\n", "Column 2 has no name."),
        (b"organization,user,user\n", "twice"),
    ],
)
def test_a_file_that_makes_no_sense_is_an_error_of_its_first_line(db: None, content: bytes, message: str) -> None:
    report = run(content)
    assert not report.saved
    assert message in told(report)[1]


def test_rejected_lines_put_right_can_be_imported(vault: Workspace, ada: User) -> None:
    content = lines("Acme,Vault,ada,,,", "Acme,Vault,'=bo,,,", "Acme,Celar,ada,Admin,,", "Acme,Vault,x").encode()
    report = run(content)
    rejected = b"".join(rejected_lines(io.BytesIO(content), report.errors)).decode("utf-8-sig")
    assert rejected.splitlines()[0] == f"{HEADER},line,error"
    assert [line.split(",")[6] for line in rejected.splitlines()[1:]] == ["3", "4", "5"]
    assert ",'=bo," in rejected
    header, _, cellar, _ = rejected.splitlines()
    assert run("\n".join([header, cellar.replace("Celar", "Vault")])).saved
    assert WorkspaceMembership.objects.get().roles.get().name == "Admin"


def test_progress_is_reported_on_the_way_and_an_abandoned_import_stops(vault: Workspace, ada: User) -> None:
    steps = run_import(io.BytesIO(lines("Acme,Vault,ada,,,").encode()), deployments=Deployment.objects.all())
    seen = []
    for step in steps:
        seen.append(step)
        if isinstance(step, Progress) and step.percent == 100:
            break
    steps.close()  # type: ignore[attr-defined]  # a generator
    percents = [step.percent for step in seen if isinstance(step, Progress)]
    assert percents == sorted(percents)
    assert len(percents) > 10
    assert everything() == [[], []]


def test_an_import_costs_the_same_statements_for_3_lines_and_300(
    vault: Workspace, ada: User, django_assert_max_num_queries: Any
) -> None:
    users = [UserFactory.create(deployment=ada.deployment).email for _ in range(300)]
    for number in (3, 300):
        with django_assert_max_num_queries(40):
            assert run(lines(*(f"Acme,Vault,{email},Member,," for email in users[:number]))).saved


def test_an_import_does_not_wait_for_the_vacuum_of_a_table(
    vault: Workspace, ada: User, reader: psycopg.Connection
) -> None:
    with reader.transaction():
        reader.execute("LOCK TABLE memberships_workspacemembership IN SHARE UPDATE EXCLUSIVE MODE")  # as VACUUM does
        execute("SET LOCAL lock_timeout = '50ms'")
        assert run(lines("Acme,Vault,ada,Member,,")).saved


def test_a_name_is_found_however_its_accents_are_composed(deployment: Deployment) -> None:
    for form, other in FORMS:
        organization = OrganizationFactory.create(deployment=deployment, name=normalize(form, f"Søndergård {form}"))
        workspace = WorkspaceFactory.create(organization=organization, name=normalize(form, "Zoë"))
        WorkspaceRoleFactory.create(deployment=deployment, organization=organization, name=normalize(form, "Chargé"))
        user = UserFactory.create(deployment=deployment, username=normalize(form, f"josé{form}"))
        cells = [organization.name, workspace.name, user.username, "Chargé"]
        report = run(
            lines(",".join(normalize(other, cell) for cell in cells), header="organization,workspace,user,roles")
        )
        assert report.errors == []
    assert WorkspaceMembership.objects.count() == 2


def test_of_names_that_look_alike_the_one_as_written_is_meant(deployment: Deployment, ada: User) -> None:
    composed, decomposed = (
        OrganizationFactory.create(deployment=deployment, name=normalize(form, "Zoë")) for form, _ in FORMS
    )
    for organization in (composed, decomposed):
        assert run(lines(f"{organization.name},ada", header="organization,user")).saved
    assert set(OrganizationMembership.objects.values_list("organization", flat=True)) == {composed.pk, decomposed.pk}


@each(
    ("cell", "shown"),
    [
        ("Acme\u200b", "“Acme[U+200B]”"),
        ("Ac\u00a0me", "“Ac[U+00A0]me”"),
        ("Ac\u00adme", "“Ac[U+00AD]me”"),
        ("\u202eAcme", "“[U+202E]Acme”"),
        ("Ac\tme", "“Ac[U+0009]me”"),
    ],
)
def test_an_invisible_character_is_shown_in_the_message(vault: Workspace, ada: User, cell: str, shown: str) -> None:
    assert shown in told(run(lines(f"{cell},Vault,ada,,,")))[2]


def test_an_invisible_character_is_shown_in_the_name_of_a_column(db: None) -> None:
    assert "Unknown columns: “us[U+200B]er”." in told(run("organization,us\u200ber\n"))[1]


def test_unknown_missing_and_repeated_columns_are_named_all_at_once(db: None) -> None:
    assert told(run("name,roles,Roles,e-mail\n"))[1] == (
        "Unknown columns: “name”, “e_mail”. Columns that are there twice: “roles”. "
        "Missing columns: “organization”, “user”. "
        "Columns are deployment, organization, workspace, user, roles, organization_roles, public_metadata."
    )


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "application/vnd.oasis.opendocument.spreadsheet" if name == "mimetype" else "x")
    return buffer.getvalue()


@each(
    ("content", "kind"),
    [
        (zipped("[Content_Types].xml"), "a spreadsheet (such as .xlsx, .xls or .ods), not CSV"),
        (zipped("mimetype"), "a spreadsheet (such as .xlsx, .xls or .ods), not CSV"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(500), "a spreadsheet (such as .xlsx, .xls or .ods), not CSV"),
        (zipped("members.csv"), "a ZIP archive: unpack it"),
        (gzip.compress(b"organization,user\n"), "compressed: unpack it"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
        (b"<html><table>", "a web page"),
        ("organization,user\n".encode("utf-16-le"), "not text, or in an unknown encoding"),
    ],
    ids=["xlsx", "ods", "xls", "zip", "gzip", "pdf", "html", "utf-16 without a mark"],
)
def test_the_error_for_a_file_that_is_no_csv_names_its_kind(db: None, content: bytes, kind: str) -> None:
    report = run(content)
    assert told(report)[1].startswith(f"The file is {kind}")
    assert report.finding == "The file was not imported."
    assert list(rejected_lines(io.BytesIO(content), report.errors)) == []


@each("line_end", ["\n", "\r\n", "\r"])
def test_another_encoding_is_reported_once_and_saves_nothing(vault: Workspace, ada: User, line_end: str) -> None:
    content = lines("Acme,Vault,ada,,,", *["Acme,Våult,ada,,,"] * 50).replace("\n", line_end).encode("windows-1252")
    for options in ({}, {"skips_bad_lines": True}):
        assert told(run(content, **options)) == {
            3: "The file is not UTF-8: here is the first character that shows it. "
            "Save it as “CSV UTF-8” and import that."
        }
    assert everything() == [[], []]


def test_empty_cells_beyond_the_columns_do_not_count(vault: Workspace, ada: User) -> None:
    assert run(lines("Acme,Vault,ada,,,,,", "Acme,,ada,,,, , ")).saved
    assert list(told(run(lines("Acme,Vault,ada,,,,,x")))) == [2]


def test_cells_beyond_the_columns_are_not_lost_from_the_rejected_lines(vault: Workspace, ada: User) -> None:
    content = lines("Acme,Vault,ada,,,,,x").encode()
    rejected = b"".join(rejected_lines(io.BytesIO(content), run(content).errors)).decode()
    assert rejected.splitlines()[1].endswith(",,x")


@each(
    ("rows", "finding"),
    [
        ([], "The file has no rows below the column names."),
        (["Acme,Vault,ada,,,"], "1 row, no errors."),
        (["Acme,Vault,ada,,,", "Acme,,ada,,,"], "2 rows, no errors."),
        (["Acme,Vault,x,,,"], "1 of 1 row has errors."),
        (["Acme,Vault,ada,,,", "Acme,Vault,x,,,"], "1 of 2 rows has errors."),
        (["Acme,Vault,y,,,", "Acme,Vault,x,,,"], "2 of 2 rows have errors."),
    ],
)
def test_lines_are_counted_in_words_that_fit(vault: Workspace, ada: User, rows: list[str], finding: str) -> None:
    assert run(lines(*rows)).finding == finding


@each("delimiter", list(",;\t|"))
def test_an_error_begins_no_formula_in_the_rejected_lines(vault: Workspace, ada: User, delimiter: str) -> None:
    content = lines('"a;=1+1,-2\t+3|@x",Vault,ada,,,').encode()
    rejected = b"".join(rejected_lines(io.BytesIO(content), run(content).errors)).decode("utf-8-sig")
    note = rejected.splitlines()[1].partition(",2,")[2]
    assert "There is no organization" in note
    assert [cell for (cell, *_) in [*csv.reader(note.split(delimiter))] if cell[:1] in tuple("=+-@")] == []


# --- manage.py import_memberships ---


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
