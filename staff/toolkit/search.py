"""Searching lists and choices: by words, by id, and by the owner of a row."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_
from typing import Any

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from database.words import words_begin

MAX_ID = 2**63 - 1
MAX_RELATED = 500
"""Of the users (say) that a word finds, the memberships of so many are looked for: a bounded search."""
MAX_RELATED_QUICKLY = 50
"""The same for a search while somebody types."""
MAX_PARTS = 2
"""Parts of a search that may be about different things, such as a user and a workspace; each is a query for each."""

NOTHING = Q(pk__in=[])


def search(request: HttpRequest, page: admin.ModelAdmin, rows: QuerySet, text: str) -> QuerySet:
    """The ``rows`` that ``text`` finds: by id, or part by part, by the ``search_fields`` of ``page``.

    A field of text is searched by the beginnings of its words; a relation, as the pages of its model are.
    """
    if "\0" in text:
        return rows.none()
    fields = page.get_search_fields(request)
    related = [name for name in fields if _is_relation(page.model, name)]
    texts = tuple(name for name in fields if name not in related)
    parts = text.split(maxsplit=MAX_PARTS - 1) if related else [text]
    found = reduce(and_, (_by_words(texts, part) | _through(request, page, related, part) for part in parts), Q())
    return rows.filter(found | Q(pk=int(text))) if is_id(text) else rows.filter(found)


def search_quickly(request: HttpRequest, text: str) -> None:
    """Have the searches of this request for ``text`` take less time, and look for each related row once.

    A text about one thing finds enough to choose from among fewer; one about two might miss the only match.
    """
    request._most_related = MAX_RELATED_QUICKLY if is_about_one(text) else MAX_RELATED  # type: ignore[attr-defined]  # kept for the request
    request._found_ids = {}  # type: ignore[attr-defined]  # kept for the request


def is_about_one(text: str) -> bool:
    """Whether ``text`` is about one thing; else its parts may be about two, such as a user and a workspace."""
    return len(text.split(maxsplit=MAX_PARTS - 1)) == 1


def is_partial(request: HttpRequest) -> bool:
    """Whether a search of this request found more than MAX_RELATED related rows, and looked no further."""
    return getattr(request, "_search_is_partial", False)


def _by_words(fields: tuple[str, ...], part: str) -> Q:
    match = words_begin(fields, part) if fields else None
    return NOTHING if match is None else Q(match)


def _through(request: HttpRequest, page: admin.ModelAdmin, relations: list[str], part: str) -> Q:
    return reduce(or_, (Q(**{f"{name}__in": _related(request, page, name, part)}) for name in relations), NOTHING)


def _related(request: HttpRequest, page: admin.ModelAdmin, relation: str, part: str) -> list[int]:
    model: Any = page.model._meta.get_field(relation).related_model
    return found_ids(request, page.admin_site.get_model_admin(model), part)


def found_ids(request: HttpRequest, page: Any, text: str) -> list[int]:
    """The ids of the rows that ``text`` finds on ``page``, in no order: at most MAX_RELATED, or MAX_RELATED_QUICKLY."""
    known: dict[tuple[Any, str], list[int]] = getattr(request, "_found_ids", {})
    if (page.model, text) not in known:
        known[page.model, text] = _search_ids(request, page, text)
    return known[page.model, text]


def _search_ids(request: HttpRequest, page: Any, text: str) -> list[int]:
    most = getattr(request, "_most_related", MAX_RELATED)
    rows, _ = page.get_search_results(request, page.get_queryset(request), text)
    # In no order: any would tempt the planner to walk along the primary key until enough are found.
    ids = list(rows.order_by().values_list("pk", flat=True)[: most + 1])
    if len(ids) > most:
        request._search_is_partial = True  # type: ignore[attr-defined]  # kept for the request
    return ids[:most]


def _is_relation(model: type[Model], name: str) -> bool:
    return "__" not in name and model._meta.get_field(name).is_relation


def is_id(text: str) -> bool:
    """Whether a row could have the id that ``text`` writes in decimal digits."""
    digits = text.strip()
    return digits.isascii() and digits.isdigit() and len(digits) < 20 and int(digits) <= MAX_ID
