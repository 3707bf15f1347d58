"""The pictures of users."""

from __future__ import annotations

from datetime import datetime
from typing import IO

from django.db import transaction

from accounts.credentials import mfa, throttling
from accounts.models import User
from accounts.pictures import FOLDER, delete, saved, sweep_folder


def change(user: User, file: IO[bytes] | None) -> None:
    """Give ``user`` the picture in ``file``, or none; the file of the one before is deleted after the commit.

    Raises ``ApiError``: 400 if it is no picture, or too large a one; 429 after too many.
    """
    throttling.count_use(throttling.upload_limits(user))
    with saved(file, FOLDER) as name, transaction.atomic():
        user = mfa.lock(user)
        discard(user)
        user.picture = name
        user.save(update_fields=["picture"])


def discard(user: User) -> None:
    """Delete the file of the picture of ``user`` once the present transaction is committed."""
    name = user.picture
    transaction.on_commit(lambda: delete(name), robust=True)


def sweep(*, before: datetime) -> int:
    """Delete the files from before ``before`` that are no user's picture: staff delete users too, and processes die."""
    return sweep_folder(
        FOLDER, lambda: set(User.objects.exclude(picture="").values_list("picture", flat=True)), before=before
    )
