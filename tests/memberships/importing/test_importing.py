"""Memberships from CSV: all lines or none, every bad line named, and an export that imports as what it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Literal
from unicodedata import normalize

import psycopg

from accounts.models import Deployment, User
from memberships.import_export.importing import Progress, run_import
from memberships.import_export.rejecting import rejected_lines
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Workspace
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
from tests.support.importing import HEADER, everything, lines, run, told

FORMS: list[tuple[Literal["NFC", "NFD"], Literal["NFC", "NFD"]]] = [("NFC", "NFD"), ("NFD", "NFC")]


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
