"""Searching lists and choices: by words, by id, and by the owner of a row."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.contrib import admin
from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, BooleanField, F, Func, Model, Q, QuerySet, Value
from django.http import HttpRequest

from database.words import words_begin

MAX_ID = 2**63 - 1
MAX_RELATED = 500
"""Of the users (say) that a word finds, the memberships of so many are looked for: a bounded search."""
MAX_RELATED_QUICKLY = 50
"""The same for a search while somebody types."""

NOTHING = Q(pk__in=[])


def search(request: HttpRequest, page: admin.ModelAdmin, rows: QuerySet, text: str) -> QuerySet:
    """The ``rows`` that ``text`` finds by the ``search_fields`` of ``page``, or by id.

    Fields of text are searched together, by the beginnings of their words; a relation, as the pages of its model are.
    One of these finds the whole text, or each of its parts is found by any. A search while somebody types looks for no
    parts where the whole text finds enough.
    """
    if "\0" in text:
        return rows.none()
    fields = page.get_search_fields(request)
    relations = [name for name in fields if _is_relation(page.model, name)]
    words = tuple(name for name in fields if name not in relations)
    (whole,) = _related_ids(request, page, relations, text)
    found = _by_words(words, text) | _is_related(whole)
    parts = parts_of(text) if relations and not _is_enough(request, whole) else []
    if parts:
        one, other = (_is_related(ids) for ids in _related_ids(request, page, relations, *parts))
        # Words that find both parts find the whole text.
        found |= (one & (_by_words(words, parts[1]) | other)) | (_by_words(words, parts[0]) & other)
    return rows.filter(found | Q(pk=int(text))) if is_id(text) else rows.filter(found)


def parts_of(text: str) -> list[str]:
    """The two parts of ``text`` that may be about two things, such as a user and a workspace; none of one word."""
    parts = text.split(maxsplit=1)
    return parts if len(parts) > 1 else []


def search_quickly(request: HttpRequest, text: str) -> None:
    """Have the searches of this request for ``text`` take less time.

    A text about one thing finds enough to choose from among fewer; one about two might miss the only match.
    """
    request._most_related = MAX_RELATED if parts_of(text) else MAX_RELATED_QUICKLY  # type: ignore[attr-defined]  # kept for the request


def is_partial(request: HttpRequest) -> bool:
    """Whether a search of this request found more than MAX_RELATED related rows, and looked no further."""
    return getattr(request, "_search_is_partial", False)


def _by_words(fields: tuple[str, ...], part: str) -> Q:
    match = words_begin(fields, part) if fields else None
    return NOTHING if match is None else Q(match)


def _related_ids(
    request: HttpRequest, page: admin.ModelAdmin, relations: list[str], *texts: str
) -> list[dict[str, list[int]]]:
    """For each of ``texts``, the ids of the rows that it finds, by the relation to them."""
    found: list[dict[str, list[int]]] = [{} for _ in texts]
    for name in relations:
        model: Any = page.model._meta.get_field(name).related_model
        each = found_ids(request, page.admin_site.get_model_admin(model), *texts)
        for by_name, ids in zip(found, each, strict=True):
            by_name[name] = ids
    return found


def _is_enough(request: HttpRequest, found: dict[str, list[int]]) -> bool:
    is_quick = hasattr(request, "_most_related")
    return is_quick and any(len(ids) >= MAX_RELATED_QUICKLY for ids in found.values())


def _is_related(found: dict[str, list[int]]) -> Q:
    return reduce(or_, (Q(among(ids, name)) for name, ids in found.items() if ids), NOTHING)


def found_ids(request: HttpRequest, page: Any, *texts: str) -> list[list[int]]:
    """The ids of the rows that each of ``texts`` finds on ``page``, in no order: at most MAX_RELATED, or those that
    ``search_quickly`` allows; of more, ``is_partial`` tells.

    One statement looks for all texts, each of which is looked for once a request.
    """
    most = getattr(request, "_most_related", MAX_RELATED)
    known: dict[Any, list[int]] = request.__dict__.setdefault("_found_ids", {})
    new = [text for text in dict.fromkeys(texts) if (page.model, text) not in known]
    each = []
    for number, text in enumerate(new):
        rows, _ = page.get_search_results(request, page.get_queryset(request), text)
        # In no order: any would tempt the planner to walk along the primary key until enough are found.
        each.append(rows.order_by().values_list("pk", Value(number))[: most + 1])
    found: list[list[int]] = [[] for _ in new]
    for pk, number in each[0].union(*each[1:], all=True) if each else ():
        found[number].append(pk)
    if any(len(ids) > most for ids in found):
        request._search_is_partial = True  # type: ignore[attr-defined]  # kept for the request
    known.update({(page.model, text): ids[:most] for text, ids in zip(new, found, strict=True)})
    return [known[page.model, text] for text in texts]


def among(ids: list[int], column: str = "pk") -> Func:
    """The condition that a row has one of ``ids``, as one parameter: of hundreds, Django and the planner take long."""
    array = Value(ids, output_field=ArrayField(BigIntegerField()))
    any_of = Func(array, function="ANY")
    return Func(F(column), any_of, template="%(expressions)s", arg_joiner=" = ", output_field=BooleanField())


def _is_relation(model: type[Model], name: str) -> bool:
    return "__" not in name and model._meta.get_field(name).is_relation


def is_id(text: str) -> bool:
    """Whether a row could have the id that ``text`` writes in decimal digits."""
    digits = text.strip()
    return digits.isascii() and digits.isdigit() and len(digits) < 20 and int(digits) <= MAX_ID
