"""Pictures of users and places: taken as files of many kinds, kept as small ones of one, under names nobody can guess.

A file is never changed: another picture has another name, so that browsers may keep each for good.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from typing import IO

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image, ImageOps

from accounts.models import Deployment
from api.errors import ApiError, Problem

FOLDER = "pictures"
"""The folder of users' pictures. Others have folders below it."""
NAME = rf"{FOLDER}/(?:[a-z]+/)?[0-9a-f]{{32}}\.webp"
"""A pattern of the names that files have in the storage."""
MAX_PIXELS = 25_000_000
"""Of a JPEG, such as a camera's; it is made smaller while it is decoded."""
MAX_PIXELS_DECODED = 9_000_000
"""Of the other kinds, which are decoded as they are: the screen of a computer has so many at most."""
SIDE = 512
"""Pixels of the longer side of a picture that is kept, at most."""
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_ONE_AT_A_TIME = threading.Lock()
"""The largest take 145 MB of memory while they are decoded as WebP; a progressive JPEG or a PNG 80, a plain JPEG 10."""


@contextmanager
def saved(file: IO[bytes] | None, folder: str) -> Iterator[str]:
    """The name of the picture in ``file``, once it is kept in ``folder``; "" for None.

    It is deleted again if the block fails. Raises ``ApiError`` (400) if it is no picture, or too large a one.
    """
    name = "" if file is None else _save(encoded(file), folder)
    try:
        yield name
    except BaseException:
        delete(name)
        raise


def url_of(deployment: Deployment, name: str) -> str:
    """The address of a picture, "" for none: pages on other origins show it, so it has a scheme and a host."""
    if not name:
        return ""
    url = default_storage.url(name)
    if not url.startswith("/"):
        return url
    return f"{deployment.issuer}{url}" if settings.HTTPS_ONLY else f"http://{deployment.host}:{settings.PORT}{url}"


def encoded(file: IO[bytes]) -> bytes:
    """The picture in ``file`` as a WebP that shows the same and says nothing more: no place, camera or comment.

    Raises ``ApiError`` (400) if it is no picture, or too large a one.
    """
    try:
        with _ONE_AT_A_TIME, Image.open(file, formats=_FORMATS) as image:
            most = MAX_PIXELS if image.format == "JPEG" else MAX_PIXELS_DECODED
            if image.width * image.height > most:
                raise ApiError(Problem.INVALID_FIELD, "The picture has too many pixels; send a smaller one.")
            return _encoded(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ApiError(Problem.INVALID_FIELD, "The picture has too many pixels; send a smaller one.") from error
    except ApiError:
        raise
    except Exception as error:  # decoders of broken files raise whatever they like
        raise ApiError(Problem.INVALID_FIELD, "This is no picture that we can read; send a JPEG or PNG.") from error


def _encoded(image: Image.Image) -> bytes:
    """Of an animation, the first picture."""
    image.draft("RGB", (2 * SIDE, 2 * SIDE))  # has a JPEG decoded at about this size
    mode = "RGBA" if image.has_transparency_data else "RGB"
    shown = image if image.mode == mode else image.convert(mode)
    shown.thumbnail((SIDE, SIDE))  # in place, and before anything copies it
    turned = ImageOps.exif_transpose(shown)
    clean = Image.new(mode, turned.size)  # without what came along
    clean.paste(turned)
    written = BytesIO()
    clean.save(written, "WEBP", quality=85)
    return written.getvalue()


def _save(content: bytes, folder: str) -> str:
    return default_storage.save(f"{folder}/{secrets.token_hex(16)}.webp", ContentFile(content))


def delete(name: str) -> None:
    if name:
        default_storage.delete(name)


def sweep_folder(folder: str, used: Callable[[], set[str]], *, before: datetime) -> int:
    """Delete the files of ``folder`` from before ``before`` whose names are not in ``used``; returns their number."""
    try:
        _, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return 0
    names = [f"{folder}/{file}" for file in files]
    still_used = used()
    left = [name for name in names if name not in still_used and default_storage.get_modified_time(name) < before]
    for name in left:
        delete(name)
    return len(left)
