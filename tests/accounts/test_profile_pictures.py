"""POST /me/profile-picture, and the pictures that the service serves."""

from __future__ import annotations

import io
import os
import struct
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.utils import timezone
from PIL import Image

from accounts import pictures
from accounts.credentials import throttling
from accounts.models import Deployment, User
from accounts.self_service import picture
from api.bounds import MAX_PICTURE
from tests.support.api import JSON, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import OrganizationFactory, UserFactory, join_organization
from tests.support.pictures import drawn

INVALID_FIELD = 40004
BODY_TOO_LARGE = 41301

PICTURE = "/me/profile-picture"


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    """The folder of the pictures."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path / pictures.FOLDER


@pytest.fixture
def client(user: User) -> ApiClient:
    return ApiClient(user.deployment, user)


def multipart(content: bytes, *, filename: str = "me.png", as_type: str = "image/png") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: {as_type}'
    return head.encode() + b"\r\n\r\n" + content + b"\r\n--b--\r\n"


def upload(client: ApiClient, content: bytes, **options: str) -> Any:
    return client.post(PICTURE, multipart(content, **options), content_type="multipart/form-data; boundary=b")


def shown(url: str) -> Image.Image:
    """The picture at ``url``, which is served without a session."""
    response = Client().get("/media/" + url.partition("/media/")[2])
    assert response.status_code == 200
    return Image.open(io.BytesIO(response.content))


def png_of(width: int, height: int) -> bytes:
    """A PNG that says that it is so large, and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


# What is kept


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_kept_as_a_webp_whatever_it_was(client: ApiClient, user: User, kind: str, media: Path) -> None:
    data = data_of(upload(client, drawn(kind=kind)))
    assert data["has_profile_picture"] == "true"
    user.refresh_from_db()
    assert data["profile_picture_url"] == f"http://{user.deployment.host}:8000/media/{user.picture}"
    image = shown(data["profile_picture_url"])
    assert (image.format, image.size) == ("WEBP", (300, 200))
    left, right = image.convert("RGB").getpixel((20, 100)), image.convert("RGB").getpixel((280, 100))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[0] > 200 > 60 > left[2]
    assert right[2] > 200 > 60 > right[0]
    assert [file.name for file in media.iterdir()] == [Path(user.picture).name]


def test_a_large_picture_is_made_smaller(client: ApiClient) -> None:
    data = data_of(upload(client, drawn((4000, 1000), "JPEG"), filename="a.jpg", as_type="image/jpeg"))
    assert shown(data["profile_picture_url"]).size == (512, 128)


def test_a_photo_may_have_more_pixels_than_what_is_decoded_whole(client: ApiClient) -> None:
    data = data_of(upload(client, drawn((5000, 5000), "JPEG"), filename="a.jpg", as_type="image/jpeg"))
    assert shown(data["profile_picture_url"]).size == (512, 512)
    assert data_of(upload(client, drawn((3000, 3000), "WEBP")))["has_profile_picture"] == "true"
    assert error_code(upload(client, drawn((3001, 3000), "WEBP"))) == INVALID_FIELD


def test_pictures_are_not_uploaded_without_end(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "MAX_UPLOADS", 2)
    assert [upload(client, drawn()).status_code for _ in range(3)] == [200, 200, 429]
    assert client.get("/me").status_code == 200


def test_transparency_stays(client: ApiClient) -> None:
    written = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(written, "PNG")
    image = shown(data_of(upload(client, written.getvalue()))["profile_picture_url"])
    assert (image.mode, image.convert("RGBA").getpixel((5, 5))) == ("RGBA", (0, 0, 0, 0))


def test_the_picture_is_turned_as_the_camera_was_held(client: ApiClient) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees to the right
    data = data_of(upload(client, drawn(kind="JPEG", exif=exif)))
    image = shown(data["profile_picture_url"]).convert("RGB")
    assert image.size == (200, 300)
    top, bottom = image.getpixel((100, 20)), image.getpixel((100, 280))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert (top[0] > 200, bottom[2] > 200) == (True, True)


def test_place_camera_and_comments_are_not_kept(client: ApiClient, media: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x8825] = "secret camera", {1: "N", 2: (59.0, 54.0, 0.0)}
    data = data_of(upload(client, drawn(kind="JPEG", exif=exif, comment=b"secret comment", icc_profile=b"secret")))
    image = shown(data["profile_picture_url"])
    assert not {"exif", "xmp", "icc_profile", "comment"} & set(image.info)
    assert not dict(image.getexif())
    (file,) = media.iterdir()
    assert b"secret" not in file.read_bytes()


# What is refused


@each(
    ("content", "name"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "me.svg"),
        (b"<html><script>alert(1)</script></html>", "me.png"),
        (b"%PDF-1.7", "me.pdf"),
        (b"\x89PNG\r\n\x1a\n", "me.png"),
        (drawn()[:200], "me.png"),
        (drawn(kind="JPEG")[:300], "me.jpg"),
        (drawn(kind="TIFF"), "me.tiff"),
        (drawn(kind="BMP"), "me.png"),
        (os.urandom(1000), "me.png"),
        (png_of(20_000, 20_000), "bomb.png"),
        (png_of(3001, 3000), "me.png"),
        (drawn((5001, 5000), "JPEG"), "me.jpg"),
        (png_of(2**31 - 1, 2**31 - 1), "bomb.png"),
    ],
    ids=[
        "svg",
        "html",
        "pdf",
        "head",
        "cut-png",
        "cut-jpeg",
        "tiff",
        "bmp",
        "noise",
        "bomb",
        "large",
        "large-jpeg",
        "huge",
    ],
)
def test_a_file_that_is_no_picture_or_too_large_a_one_is_refused(
    client: ApiClient, user: User, media: Path, content: bytes, name: str
) -> None:
    assert error_code(upload(client, content, filename=name)) == INVALID_FIELD
    user.refresh_from_db()
    assert (user.picture, media.exists()) == ("", False)


def test_a_file_has_five_megabytes_at_most(client: ApiClient) -> None:
    assert error_code(upload(client, drawn() + b"\0" * MAX_PICTURE)) == INVALID_FIELD
    response = upload(client, drawn() + b"\0" * (MAX_PICTURE + 70_000))
    assert error_code(response) == BODY_TOO_LARGE
    assert response.json()["errors"][0]["message"] == "This is too large; send 5 MB at most."
    assert data_of(upload(client, drawn() + b"\0" * (MAX_PICTURE - 10_000)))["has_profile_picture"] == "true"


@each("body", [None, {"file": "text"}, {"file": None}, {"picture": "x"}])
def test_a_body_without_a_file_is_refused(client: ApiClient, body: Any) -> None:
    assert error_code(client.post(PICTURE, body, content_type=JSON)) == INVALID_FIELD


def test_a_name_leads_nowhere(client: ApiClient, user: User, media: Path) -> None:
    """The name of a file, which clients send, is used for nothing."""
    data_of(upload(client, drawn(), filename="../../../../tmp/evil.html"))
    user.refresh_from_db()
    assert [file.suffix for file in media.parent.rglob("*") if file.is_file()] == [".webp"]


# Another picture, and none


@pytest.mark.django_db(transaction=True)
def test_another_picture_has_another_address_and_the_file_before_goes(media: Path) -> None:
    user = UserFactory.create()
    client = ApiClient(user.deployment, user)
    first = data_of(upload(client, drawn()))["profile_picture_url"]
    second = data_of(upload(client, drawn()))["profile_picture_url"]
    assert first != second
    assert [file.name for file in media.iterdir()] == [second.rpartition("/")[2]]
    assert Client().get(first.partition(":8000")[2]).status_code == 404
    assert data_of(upload(client, b""))["profile_picture_url"] == ""
    assert list(media.iterdir()) == []
    assert data_of(client.get("/me"))["has_profile_picture"] == ""


def test_an_empty_text_removes_the_picture_too(client: ApiClient) -> None:
    upload(client, drawn())
    assert data_of(client.post(PICTURE, {"file": ""}))["profile_picture_url"] == ""


@pytest.mark.django_db(transaction=True)
def test_the_file_stays_if_the_change_is_undone(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = UserFactory.create()
    picture.change(user, io.BytesIO(drawn()))
    before = list(media.iterdir())
    with transaction.atomic():
        picture.change(user, io.BytesIO(drawn()))
        transaction.set_rollback(True)
    assert before[0] in media.iterdir()
    monkeypatch.setattr(User, "save", lambda *_, **__: 1 / 0)
    count = len(list(media.iterdir()))
    with pytest.raises(ZeroDivisionError):
        picture.change(user, io.BytesIO(drawn()))
    assert len(list(media.iterdir())) == count, "a new file without a user goes at once"


@pytest.mark.django_db(transaction=True)
def test_the_file_goes_with_the_account(media: Path) -> None:
    user = UserFactory.create()
    client = ApiClient(user.deployment, user)
    upload(client, drawn())
    assert data_of(client.post("/me/account/delete")) is None
    assert list(media.iterdir()) == []


def test_files_that_are_nobodys_are_swept_after_a_day(client: ApiClient, user: User, media: Path) -> None:
    upload(client, drawn())
    (used,) = media.iterdir()
    old, young = media / f"{'a' * 32}.webp", media / f"{'b' * 32}.webp"
    for file in (old, young):
        file.write_bytes(b"x")
    day_before = (timezone.now() - timedelta(days=1, minutes=1)).timestamp()
    for file in (old, used):
        os.utime(file, (day_before, day_before))
    call_command("sweep_sessions", verbosity=0)
    assert set(media.iterdir()) == {used, young}


def test_a_sweep_before_the_first_picture_finds_nothing(db: None) -> None:
    assert picture.sweep(before=timezone.now()) == 0


# The answers that show it


def test_every_answer_with_the_user_shows_the_picture_at_once(client: ApiClient, user: User) -> None:
    join_organization(user, OrganizationFactory.create(deployment=user.deployment))
    paths = ["/me", "/session", "/me/organization-memberships"]
    etags = {path: client.get(path).headers["ETag"] for path in paths}
    url = data_of(upload(client, drawn()))["profile_picture_url"]
    answers = [data_of(client.get(path, HTTP_IF_NONE_MATCH=etags[path])) for path in paths]
    assert answers[0]["profile_picture_url"] == url
    assert answers[1]["active_signin"]["user"]["profile_picture_url"] == url
    assert answers[2][0]["user"]["profile_picture_url"] == url


def test_an_address_has_https_where_nothing_else_is_taken(deployment: Deployment, settings: Any) -> None:
    settings.HTTPS_ONLY = True
    assert pictures.url_of(deployment, "pictures/x.webp") == f"https://{deployment.host}/media/pictures/x.webp"
    assert pictures.url_of(deployment, "") == ""


def test_a_storage_elsewhere_gives_its_own_addresses(deployment: Deployment, settings: Any) -> None:
    settings.MEDIA_URL = "https://cdn.example.com/"
    name = f"pictures/{'a' * 32}.webp"
    assert pictures.url_of(deployment, name) == f"https://cdn.example.com/{name}"
    assert Client().get(f"/media/{name}").status_code == 404


def test_a_picture_is_served_so_that_it_can_do_nothing(client: ApiClient) -> None:
    url = data_of(upload(client, drawn()))["profile_picture_url"].partition(":8000")[2]
    response = Client().get(url)
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert not response.cookies
    assert Client().head(url).status_code == 200
    assert Client().post(url).status_code == 405


@each(
    "path",
    [
        "/media/",
        "/media/pictures/",
        "/media/pictures/../../manage.py",
        "/media/pictures/%2e%2e/%2e%2e/manage.py",
        "/media/pictures/..%2f..%2fmanage.py",
        f"/media/pictures/{'a' * 32}.webp",
        f"/media/pictures/{'a' * 32}.webp%0a",
        f"/media/pictures/{'A' * 32}.webp",
        f"/media/pictures/{'a' * 32}.svg",
    ],
)
def test_nothing_else_is_served(db: None, path: str) -> None:
    assert Client().get(path).status_code == 404
