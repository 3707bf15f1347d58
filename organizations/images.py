"""The pictures of organizations and workspaces: files as ``accounts.pictures`` keeps them, shown by ``image_url``.

Staff may type addresses of other pictures into the same field; those are no files of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts import pictures
from accounts.models import Deployment
from api.bounds import MAX_PICTURE
from api.requests import file_field
from organizations.models import Organization, Workspace

FOLDER = f"{pictures.FOLDER}/places"
_ADDRESS = rf"/({FOLDER}/[0-9a-f]{{32}}\.webp)$"


@contextmanager
def sent_in(body: Mapping[str, Any], deployment: Deployment) -> Iterator[dict[str, str]]:
    """The ``image_url`` for the file in the field ``image`` of ``body``, "" for an empty one; {} if it was not sent.

    The file is kept, unless the block fails. Raises ``ApiError`` (400) if it is no picture, or too large a one.
    """
    if body.get("image") is None:
        yield {}
        return
    with pictures.saved(file_field(body, "image", max_bytes=MAX_PICTURE), FOLDER) as name:
        yield {"image_url": pictures.url_of(deployment, name)}


def discard(deployment: Deployment, image_urls: Iterable[str]) -> None:
    """Delete the files at ``image_urls`` once the present transaction is committed, if no place shows them any more.

    Staff may have copied an address, be it another deployment's; the sweep finds files of a host that has changed.
    """
    named = {url: _name_in(url) for url in image_urls}
    names = {url: name for url, name in named.items() if name and url == pictures.url_of(deployment, name)}
    if names:
        transaction.on_commit(lambda: _delete_unused(deployment, names), robust=True)


def _delete_unused(deployment: Deployment, names: Mapping[str, str]) -> None:
    organizations = Organization.objects.filter(deployment=deployment, image_url__in=names)
    workspaces = Workspace.objects.filter(organization__deployment=deployment, image_url__in=names)
    for url in names.keys() - _urls(organizations) - _urls(workspaces):
        pictures.delete(names[url])


def sweep(*, before: datetime) -> int:
    """Delete the files from before ``before`` that no place shows; returns their number."""
    return pictures.sweep_folder(FOLDER, _used, before=before)


def _used() -> set[str]:
    """At whatever host: a deployment may have had another."""
    shown = [model.objects.filter(image_url__regex=_ADDRESS) for model in (Organization, Workspace)]
    return {name for places in shown for url in _urls(places) if (name := _name_in(url))}


def _urls(places: QuerySet[Any]) -> set[str]:
    return set(places.values_list("image_url", flat=True))


def _name_in(url: str) -> str:
    """The name of the file of ours at ``url``, "" for none."""
    found = re.search(_ADDRESS, url)
    return found[1] if found else ""
