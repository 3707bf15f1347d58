"""The field ``image`` of organizations and workspaces, and the files that are kept for it."""

from __future__ import annotations

import io
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from PIL import Image

from api.bounds import MAX_PICTURE
from audit.models import AuditEntry
from organizations import images
from organizations.models import Organization, Workspace
from tests.support.api import JSON, MULTIPART, ApiClient, data_of, error_code, memberships
from tests.support.cases import each
from tests.support.pictures import drawn
from tests.support.self_service import Firm

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)

INVALID_FIELD, FORBIDDEN, LIMIT_REACHED = 40004, 40301, 40903
ELSEWHERE = "https://img.example.com/logo.png"


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    """The folder of the pictures of places."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path / images.FOLDER


@pytest.fixture
def firm(request: pytest.FixtureRequest) -> Firm:
    marker = request.node.get_closest_marker("django_db")
    request.getfixturevalue("transactional_db" if marker and marker.kwargs.get("transaction") else "db")
    return Firm()


@pytest.fixture
def admin(firm: Firm) -> ApiClient:
    return firm.client(firm.admin)


def sent(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("logo.png", content, "image/png")


def upload(client: ApiClient, path: str, content: bytes, **more: str) -> Any:
    return client.post(path, {"image": sent(content)} | more, content_type=MULTIPART)


def paths_of(firm: Firm) -> list[str]:
    """The addresses that change the firm's organization and workspace."""
    return [f"/organizations/{firm.organization.pk}/update", f"/workspaces/{firm.workspace.pk}/update"]


def files(media: Path) -> set[str]:
    return {file.name for file in media.iterdir()} if media.exists() else set()


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


# A picture, another one, and none


def test_places_are_created_with_a_picture(admin: ApiClient, firm: Firm, media: Path) -> None:
    organization = data_of(upload(admin, "/organizations", drawn(), name="Nord"))["organization"]
    more = {"name": "Depot", "organization_id": str(firm.organization.pk)}
    workspace = data_of(upload(admin, "/workspaces", drawn(), **more))["workspace"]
    assert files(media) == {name_of(organization["image_url"]), name_of(workspace["image_url"])}
    for place in (organization, workspace):
        prefix = f"http://{firm.deployment.host}:8000"
        assert place["image_url"].startswith(f"{prefix}/media/pictures/places/")
        response = Client().get(place["image_url"].removeprefix(prefix))
        assert (response.status_code, response.headers["Content-Type"]) == (200, "image/webp")
        assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert Image.open(io.BytesIO(response.content)).size == (300, 200)


@pytest.mark.parametrize("number", [0, 1], ids=["organization", "workspace"])
@committing
def test_another_picture_takes_the_place_of_the_one_before(
    admin: ApiClient, firm: Firm, media: Path, number: int
) -> None:
    path = paths_of(firm)[number]
    first = data_of(upload(admin, path, drawn()))["image_url"]
    second = data_of(upload(admin, path, drawn((4000, 1000)), description="with a picture"))
    assert second["description"] == "with a picture"
    assert first != second["image_url"]
    assert files(media) == {name_of(second["image_url"])}
    assert data_of(admin.post(path, {"name": "Renamed"}))["image_url"] == second["image_url"]
    assert data_of(admin.post(path, {"image": None}, content_type=JSON))["image_url"] == second["image_url"]
    assert data_of(upload(admin, path, b""))["image_url"] == ""
    assert files(media) == set()
    upload(admin, path, drawn())
    assert data_of(admin.post(path, {"image": ""}))["image_url"] == ""
    assert files(media) == set()


@pytest.mark.parametrize("number", [0, 1], ids=["organization", "workspace"])
@committing
def test_the_next_list_of_memberships_shows_the_picture(admin: ApiClient, firm: Firm, number: int) -> None:
    kind = ["organization", "workspace"][number]
    client = firm.client(firm.member)
    (before,) = data_of(client.get())
    etag = client.get().headers["ETag"]
    url = data_of(upload(admin, paths_of(firm)[number], drawn()))["image_url"]
    (after,) = data_of(client.get(HTTP_IF_NONE_MATCH=etag))
    assert (before[kind]["image_url"], after[kind]["image_url"]) == ("", url)


def test_a_picture_is_in_the_audit_log_with_its_user(admin: ApiClient, firm: Firm) -> None:
    url = data_of(upload(admin, paths_of(firm)[0], drawn()))["image_url"]
    entry = AuditEntry.objects.order_by("pk").last()
    assert entry is not None
    assert url in str(entry.__dict__)
    assert str(firm.admin.pk) in str(entry.__dict__)


# What is refused


@each(
    "content",
    [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<script>", drawn()[:200], drawn() + b"\0" * MAX_PICTURE],
    ids=["svg", "html", "cut", "long"],
)
def test_a_file_that_is_no_picture_changes_nothing(admin: ApiClient, firm: Firm, media: Path, content: bytes) -> None:
    number = Organization.objects.count() + Workspace.objects.count()
    more = {"name": "New", "organization_id": str(firm.organization.pk)}
    for path in (*paths_of(firm), "/organizations", "/workspaces"):
        assert error_code(upload(admin, path, content, **more)) == INVALID_FIELD
    assert not Organization.objects.filter(name="New").exists()
    assert not Workspace.objects.filter(name="New").exists()
    assert Organization.objects.count() + Workspace.objects.count() == number
    assert files(media) == set()


def test_no_file_is_left_of_a_change_that_is_refused(admin: ApiClient, firm: Firm, media: Path) -> None:
    deployment = firm.deployment
    assert error_code(upload(admin, paths_of(firm)[0], drawn(), enforce_mfa="perhaps")) == INVALID_FIELD
    deployment.org_creation_per_user_count = deployment.workspaces_per_org_count = 1
    deployment.save()
    assert error_code(upload(admin, "/organizations", drawn(), name="New")) == LIMIT_REACHED
    more = {"name": "New", "organization_id": str(firm.organization.pk)}
    assert error_code(upload(admin, "/workspaces", drawn(), **more)) == LIMIT_REACHED
    assert files(media) == set()


def test_only_an_administrator_has_a_file_looked_at(firm: Firm, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.pictures.encoded", lambda _: 1 / 0)
    client = firm.client(firm.member)
    more = {"name": "New", "organization_id": str(firm.organization.pk)}
    for path in (*paths_of(firm), "/workspaces"):
        assert error_code(upload(client, path, drawn(), **more)) == FORBIDDEN


# Addresses that staff typed, and files that nobody shows


@committing
def test_an_address_that_staff_typed_stays_until_it_is_replaced(admin: ApiClient, firm: Firm, media: Path) -> None:
    Organization.objects.filter(pk=firm.organization.pk).update(image_url=ELSEWHERE)
    path = paths_of(firm)[0]
    assert data_of(admin.post(path, {"name": "Renamed"}))["image_url"] == ELSEWHERE
    url = data_of(upload(admin, path, drawn()))["image_url"]
    firm.organization.refresh_from_db()
    firm.organization.full_clean()  # as a form of staff does
    assert memberships(firm.member)[0]["organization"]["image_url"] == url


@committing
def test_a_file_stays_while_another_place_shows_it(admin: ApiClient, firm: Firm, media: Path) -> None:
    """Staff copied its address."""
    url = data_of(upload(admin, paths_of(firm)[0], drawn()))["image_url"]
    Workspace.objects.filter(pk=firm.other_workspace.pk).update(image_url=url)
    upload(admin, paths_of(firm)[0], b"")
    assert files(media) == {name_of(url)}
    assert data_of(admin.post(f"/workspaces/{firm.other_workspace.pk}/update", {"image": ""}))["image_url"] == ""
    assert files(media) == set()


@committing
def test_no_file_of_another_deployment_goes_with_a_place(admin: ApiClient, firm: Firm, media: Path) -> None:
    other = Firm()
    url = data_of(upload(other.client(other.admin), paths_of(other)[0], drawn()))["image_url"]
    Organization.objects.filter(pk=firm.organization.pk).update(image_url=url)
    upload(admin, paths_of(firm)[0], b"")
    assert files(media) == {name_of(url)}


@committing
def test_no_file_of_a_user_goes_with_a_place(admin: ApiClient, firm: Firm, media: Path) -> None:
    """Whose address staff copied."""
    picture = {"file": sent(drawn())}
    url = data_of(admin.post("/me/profile-picture", picture, content_type=MULTIPART))["profile_picture_url"]
    Organization.objects.filter(pk=firm.organization.pk).update(image_url=url)
    upload(admin, paths_of(firm)[0], b"")
    assert name_of(url) in files(media.parent)


@committing
def test_the_files_go_with_the_place(admin: ApiClient, firm: Firm, media: Path) -> None:
    for path in (*paths_of(firm), f"/workspaces/{firm.other_workspace.pk}/update"):
        upload(admin, path, drawn())
    assert len(files(media)) == 3
    data_of(admin.post(f"/workspaces/{firm.workspace.pk}/delete"))
    assert len(files(media)) == 2
    data_of(admin.post(f"/organizations/{firm.organization.pk}/delete"))
    assert files(media) == set()


def test_a_sweep_deletes_old_files_that_no_place_shows(admin: ApiClient, firm: Firm, media: Path) -> None:
    used = {name_of(data_of(upload(admin, path, drawn()))["image_url"]) for path in paths_of(firm)}
    Organization.objects.filter(pk=firm.organization.pk).update(image_url=ELSEWHERE)
    (still_used,) = {
        name_of(url) for url in Workspace.objects.exclude(image_url="").values_list("image_url", flat=True)
    }
    young = media / f"{'b' * 32}.webp"
    young.write_bytes(b"x")
    day_before = (timezone.now() - timedelta(days=1, minutes=1)).timestamp()
    for name in used:
        os.utime(media / name, (day_before, day_before))
    call_command("sweep_sessions", verbosity=0)
    assert files(media) == {still_used, young.name}
