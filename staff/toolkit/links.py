"""Names of rows and models on the pages for staff, and links between the pages."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from django.contrib.admin.utils import get_fields_from_path, label_for_field
from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from staff.numbers import number_of


def address(of: models.Model | type[models.Model], page: str) -> str:
    """The path of the "changelist" or "add" page of a model, or of the "change", "history" ... page of a row."""
    if isinstance(of, models.Model):
        return _path(type(of), page, 0).replace("/0/", f"/{of.pk}/")
    return _path(of, page)


@cache
def _path(model: type[models.Model], page: str, *args: int) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def page_of(obj: models.Model) -> str:
    """The path of the page about ``obj``: its overview, or the form of a row that has none."""
    return address(obj, _main_page(type(obj)))


@cache
def _main_page(model: type[models.Model]) -> str:
    try:
        _path(model, "overview", 0)
    except NoReverseMatch:
        return "change"
    return "overview"


def link(obj: models.Model | None) -> SafeString | None:
    """A link to the page about ``obj``."""
    return None if obj is None else link_to(page_of(obj), str(obj))


def link_to(path: str, text: str, label: str = "") -> SafeString:
    """A link; ``label`` replaces a ``text`` that is too short for screen readers."""
    return format_html('<a class="text-link" href="{}" aria-label="{}">{}</a>', path, label or text, text)


def plural(model: type[models.Model]) -> str:
    return capfirst(str(model._meta.verbose_name_plural))


def label_of_column(model: type[models.Model], name: str, page: Any) -> str:
    """The label of a column; Django's of a related row's field names the relations that lead there, too."""
    if is_path(name):
        field: Any = get_fields_from_path(model, name)[-1]
        return str(field.verbose_name)
    return str(label_for_field(name, model, page))


def is_path(name: str) -> bool:
    """Whether ``name`` leads over relations; ``__str__`` does not."""
    return LOOKUP_SEP in name.strip("_")


def named(obj: models.Model) -> str:
    """Such as "User: ada@example.com"."""
    return f"{capfirst(obj._meta.verbose_name)}: {obj}"


def counted(model: type[models.Model], number: int) -> str:
    """Such as "1 user" or "1,000 users"."""
    return number_of(number, str(model._meta.verbose_name), str(model._meta.verbose_name_plural))


def names(rows: Iterable[models.Model]) -> str:
    return ", ".join(sorted(map(str, rows)))
