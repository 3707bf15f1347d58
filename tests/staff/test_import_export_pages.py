"""Import and export in the admin: streamed, all or nothing, within what the member of staff may see."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from audit.models import AuditEntry
from memberships.import_export.sample import sample
from memberships.models import OrganizationMembership, WorkspaceMembership
from staff.pages import import_export
from tests.support.admin import url
from tests.support.factories import World, join, new_world, staff

IMPORT = "/admin/memberships/workspacemembership/import/"
HEADER = "deployment,organization,workspace,user\n"


@pytest.fixture
def world(db: None) -> World:
    return new_world()


def line(branch: Any, user: str = "") -> str:
    return ",".join(
        [branch.deployment.host, branch.organization.name, branch.workspace.name, user or branch.user.email + "\n"]
    )


def upload(client: Client, content: str | bytes, *, press: str = "save", steps_only: bool = False, **data: Any) -> Any:
    file = SimpleUploadedFile("members.csv", content if isinstance(content, bytes) else content.encode())
    headers = {"X-Steps-Only": "1"} if steps_only else {}
    return client.post(IMPORT, {"file": file, press: "1"} | data, headers=headers)


def text(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return " ".join(content.decode().split())


def test_a_file_is_imported_with_progress_before_the_report(admin_client: Client, world: World) -> None:
    response = upload(admin_client, HEADER + line(world.own) + line(world.foreign))
    page = text(response)
    assert page.index("Reading" if "Reading" in page else "Checking") < page.index("2 rows, no errors. Saved: ")
    assert page.index("<progress") < page.index("no errors")
    assert page.startswith("<!DOCTYPE html>")
    assert page.endswith("</html>")
    assert WorkspaceMembership.objects.count() == 2


def test_checking_saves_nothing(admin_client: Client, world: World) -> None:
    page = text(upload(admin_client, HEADER + line(world.own), press="check", steps_only=True))
    assert "The import would save" in page
    assert "<html" not in page
    assert not WorkspaceMembership.objects.exists()


def test_bad_lines_are_named_and_can_be_downloaded(admin_client: Client, world: World) -> None:
    page = text(upload(admin_client, HEADER + line(world.own) + line(world.own, "<b>nobody</b>\n")))
    assert "1 of 2 rows has errors. Nothing was saved." in page
    assert "Line 3:</strong> There is no user “&lt;b&gt;nobody&lt;/b&gt;”" in page
    (encoded,) = re.findall(r'download="rejected.csv" href="data:text/csv;charset=utf-8;base64,([^"]+)"', page)
    assert '<b>nobody</b>,3,"There is no user' in base64.b64decode(encoded).decode("utf-8-sig")
    assert not WorkspaceMembership.objects.exists()


def test_a_file_that_cannot_be_read_has_no_bad_lines(admin_client: Client, world: World) -> None:
    page = text(upload(admin_client, b"PK\x03\x04 xl/workbook.xml"))
    assert "The file was not imported. Nothing was saved. Correct the file, and choose it again." in page
    assert "The file is a spreadsheet (such as .xlsx, .xls or .ods), not CSV." in page
    assert "rejected.csv" not in page


def test_the_page_offers_a_sample(admin_client: Client, world: World) -> None:
    page = text(admin_client.get(IMPORT))
    (encoded,) = re.findall(r'download="memberships.csv" href="data:text/csv;charset=utf-8;base64,([^"]+)"', page)
    assert base64.b64decode(encoded) == sample()


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_abandoned_before_its_end_saves_nothing(admin_client: Client, world: World) -> None:
    response = upload(admin_client, HEADER + line(world.own))
    seen = ""
    for part in response.streaming_content:
        seen += part.decode()
        if "Writing" in seen:
            break
    response.close()
    assert not WorkspaceMembership.objects.exists()


def test_the_trail_names_the_staff_who_imported(admin_client: Client, admin_user: Any, world: World) -> None:
    text(upload(admin_client, HEADER + line(world.own)))
    entry = AuditEntry.objects.filter(model="memberships.workspacemembership").latest("pk")
    assert entry.actor_name == str(admin_user)


def test_lines_without_a_deployment_are_of_the_chosen_one(admin_client: Client, world: World) -> None:
    content = f"organization,user\n{world.own.organization.name},{world.own.user.email}\n"
    assert "Name the host of a deployment" in text(upload(admin_client, content))
    text(upload(admin_client, content, deployment=world.own.deployment.pk))
    assert OrganizationMembership.objects.get().user == world.own.user


def test_a_form_without_a_file_or_with_one_too_large_is_refused(
    admin_client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "This field is required." in text(admin_client.post(IMPORT, {"save": "1"}))
    monkeypatch.setattr(import_export, "MAX_BYTES", 10)
    response = upload(admin_client, HEADER + line(world.own))
    assert response.status_code == 422
    assert "larger than" in text(response)


def test_staff_of_a_deployment_can_import_into_no_other(world: World) -> None:
    client = Client()
    client.force_login(staff(world.own.deployment, role="operator"))
    page = text(upload(client, HEADER + line(world.own) + line(world.foreign)))
    assert f"There is no deployment at the host “{world.foreign.deployment.host}”" in page
    assert world.foreign.deployment.name not in text(client.get(IMPORT))
    response = upload(client, HEADER + line(world.own), deployment=world.foreign.deployment.pk)
    assert response.status_code == 422
    assert not WorkspaceMembership.objects.exists()
    assert "Saved" in text(upload(client, HEADER + line(world.own)))


def test_support_cannot_import(world: World) -> None:
    client = Client()
    client.force_login(staff(world.own.deployment, role="support"))
    assert client.get(IMPORT).status_code == 403
    assert upload(client, HEADER + line(world.own)).status_code == 403
    assert IMPORT not in client.get(url(WorkspaceMembership, "changelist")).content.decode()


@pytest.mark.parametrize("model", [WorkspaceMembership, OrganizationMembership])
def test_all_that_one_may_see_is_exported(world: World, model: Any) -> None:
    join(world.own.user, world.own.workspace)
    join(world.foreign.user, world.foreign.workspace)
    client = Client()
    client.force_login(staff(world.own.deployment, role="support"))
    address = url(model, "changelist") + "export/"
    assert address in client.get(url(model, "changelist")).content.decode()
    response = client.get(address)
    content = text(response)
    assert world.own.user.email in content
    assert world.foreign.user.email not in content
    assert "attachment" in response.headers["Content-Disposition"]


def test_chosen_rows_are_exported(admin_client: Client, world: World) -> None:
    chosen = join(world.own.user, world.own.workspace)
    join(world.sibling.user, world.sibling.workspace)
    response = admin_client.post(
        url(WorkspaceMembership, "changelist"),
        {"action": "export_chosen", "_selected_action": [chosen.pk], "index": "0"},
    )
    content = text(response)
    assert world.own.user.email in content
    assert world.sibling.user.email not in content
