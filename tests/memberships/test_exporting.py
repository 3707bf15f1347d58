"""An export imports as what it is, and no spreadsheet takes a cell of it for a formula."""

from __future__ import annotations

import csv
import io
import re
from typing import Any, NamedTuple

from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import Deployment, User
from accounts.values.names import normal_name
from memberships.import_export.cells import guard, unguard
from memberships.import_export.exporting import export
from memberships.import_export.importing import Report, run_import
from memberships.models import OrganizationMembership, WorkspaceMembership
from tests.support.cases import each
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    join,
    join_organization,
)

STRANGE = [
    "=1+1",
    "+A1",
    "-2",
    "@SUM(A1)",
    "\tTab",
    "'=quoted",
    "'plain",
    "a;b",
    " padded ",
    "#12",
    "12",
    'a "b", c',
    "ü\nö",
    "＝x",
]


FORMULA = re.compile(" *[=+\\-@\t\r\n＝＋－＠]")
"""Some spreadsheets trim the blanks."""


def exported(model: Any = WorkspaceMembership) -> bytes:
    return b"".join(export(model.objects.all()))


def cells(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def imported(data: bytes) -> Report:
    *_, last = run_import(io.BytesIO(data), deployments=Deployment.objects.all())
    assert isinstance(last, Report)
    return last


def held() -> Any:
    """All memberships, by what they are between, with roles and metadata."""
    return sorted(
        (str(model), row.user_id, str(row), sorted(row.roles.values_list("pk", flat=True)), str(row.public_metadata))
        for model in (OrganizationMembership, WorkspaceMembership)
        for row in model.objects.all()
    )


def odd_memberships(deployment: Deployment) -> None:
    """With names that are strange, or shared with others."""
    for index, name in enumerate([*STRANGE, "Twin", "Twin"]):
        organization = OrganizationFactory.create(deployment=deployment, name=name)
        workspace = WorkspaceFactory.create(organization=organization, name=name)
        if index % 2:
            WorkspaceFactory.create(organization=organization, name=name)
        user = UserFactory.create(deployment=deployment, email="", username=f"{name}{index if name == 'Twin' else ''}")
        role = WorkspaceRoleFactory.create(
            deployment=deployment, organization=organization, workspace=workspace, name=["Admin", name][index % 2]
        )
        above = OrganizationRoleFactory.create(deployment=deployment, organization=organization, name="Member")
        join_organization(user, organization, above, deployment.organization_roles.get(organization=None, name="Admin"))
        membership = join(user, workspace, role, deployment.workspace_roles.get(organization=None, name="Member"))
        membership.public_metadata = {"name": name}
        membership.save()


def test_an_export_imported_again_changes_nothing(deployment: Deployment) -> None:
    odd_memberships(deployment)
    for data in (exported(), exported(OrganizationMembership)):
        report = imported(data)
        assert report.errors == []
        assert str(report.changes) == "no change"


def test_an_export_restores_lost_memberships(deployment: Deployment) -> None:
    odd_memberships(deployment)
    before = held()
    files = exported(OrganizationMembership), exported()
    OrganizationMembership.objects.all().delete()
    assert held() == []
    for data in files:
        assert imported(data).errors == []
    assert held() == before


def test_names_that_mean_one_row_are_written_as_they_are(deployment: Deployment) -> None:
    workspace = WorkspaceFactory.create(
        organization=OrganizationFactory.create(deployment=deployment, name="Acme"), name="Vault"
    )
    user = UserFactory.create(deployment=deployment, email="ada@example.com", username="ada")
    join(user, workspace, *deployment.workspace_roles.order_by("name"))
    (row,) = cells(exported())
    assert row == {
        "deployment": deployment.host,
        "organization": "Acme",
        "workspace": "Vault",
        "user": "ada@example.com",
        "roles": "Admin; Member",
        "organization_roles": "",
        "public_metadata": "",
    }


def test_an_address_that_is_anothers_username_gives_way_to_the_id(deployment: Deployment) -> None:
    user = UserFactory.create(deployment=deployment, email="ada@example.com")
    UserFactory.create(deployment=deployment, username="ADA@example.com")
    join(user, WorkspaceFactory.create(organization=OrganizationFactory.create(deployment=deployment)))
    assert cells(exported())[0]["user"] == f"#{user.pk}"


def test_no_cell_begins_as_a_formula(deployment: Deployment) -> None:
    odd_memberships(deployment)
    for row in cells(exported()):
        assert [cell for cell in row.values() if cell[:1] in tuple("=+-@\t\r\n＝＋－＠")] == []


def formulas(data: bytes) -> list[str]:
    """The cells that begin a formula for a spreadsheet, whatever it takes for the mark between cells."""
    text = data.decode("utf-8-sig")
    tables = [csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for delimiter in ",;\t|"]
    return [cell for table in tables for row in table for cell in row if FORMULA.match(cell)]


names = st.text("=+-@'\";,|\t\r\n #1aé＝", min_size=1, max_size=8).filter(str.strip)
metadata = st.dictionaries(names, st.recursive(names | st.integers() | st.none(), st.lists), max_size=4)


class Texts(NamedTuple):
    """The texts of a membership."""

    organization: str
    workspace: str
    username: str
    role: str
    public_metadata: dict[str, Any]


@settings(max_examples=15)
@given(
    drawn=st.lists(
        st.builds(Texts, names, names, names, names, metadata),
        min_size=1,
        max_size=6,
        unique_by=lambda texts: normal_name(texts.username),
    )
)
def test_no_spreadsheet_finds_a_formula_and_the_export_imports_as_it_was(
    deployment: Deployment, drawn: list[Texts]
) -> None:
    with transaction.atomic():
        admin = deployment.workspace_roles.get(organization=None, name="Admin")
        for texts in drawn:
            organization = OrganizationFactory.create(deployment=deployment, name=texts.organization)
            place = WorkspaceFactory.create(organization=organization, name=texts.workspace)
            user = UserFactory.create(deployment=deployment, email="", username=texts.username)
            own = WorkspaceRoleFactory.create(
                deployment=deployment, organization=organization, workspace=place, name=texts.role
            )
            membership = join(user, place, own, admin)
            membership.public_metadata = texts.public_metadata
            membership.save()
        before = held()
        data = exported()
        assert formulas(data) == []
        assert str(imported(data).changes) == "no change"
        OrganizationMembership.objects.all().delete()
        assert imported(data).errors == []
        assert held() == before
        transaction.set_rollback(True)


def test_metadata_with_semicolons_is_no_formula_and_stays_what_it_is(deployment: Deployment) -> None:
    membership = join(
        UserFactory.create(deployment=deployment),
        WorkspaceFactory.create(organization=OrganizationFactory.create(deployment=deployment)),
    )
    membership.public_metadata = {"note": "a;=1+1;b", "path": "x|@y"}
    membership.save()
    (row,) = cells(exported())
    assert row["public_metadata"] == r"""{"note": "a\u003b=1+1\u003bb", "path": "x\u007c@y"}"""
    assert formulas(exported()) == []
    assert str(imported(exported()).changes) == "no change"


@each("text", [*STRANGE, "", "''=x", "\r", "x=1"])
def test_guarding_is_undone_by_reading(text: str) -> None:
    assert unguard(guard(text)) == text


def test_an_export_costs_the_same_statements_for_3_rows_and_30(
    deployment: Deployment, django_assert_max_num_queries: Any
) -> None:
    workspace = WorkspaceFactory.create(organization=OrganizationFactory.create(deployment=deployment))
    for _ in range(30):
        join(UserFactory.create(deployment=deployment), workspace, deployment.workspace_roles.get(name="Member"))
    with django_assert_max_num_queries(4):
        assert len(cells(exported())) == 30


def test_memberships_of_several_deployments_name_their_hosts(user: User) -> None:
    for deployment in (user.deployment, DeploymentFactory.create()):
        join(
            UserFactory.create(deployment=deployment),
            WorkspaceFactory.create(organization=OrganizationFactory.create(deployment=deployment)),
        )
    data = exported()
    assert len({row["deployment"] for row in cells(data)}) == 2
    assert str(imported(data).changes) == "no change"
