"""The choices of related fields, found by typing: those that fit the row, and fields that take several of them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple, RelatedFieldWidgetWrapper
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from staff.access.permissions import visible_to
from staff.toolkit.search import is_id

Rule = Callable[[int], Q]

_always: dict[tuple[type[Model], str], Q] = {}
_rules: defaultdict[tuple[type[Model], str], dict[str, Rule]] = defaultdict(dict)


def fits(model: type[Model], name: str, *, always: Q | None = None, **given: str | Rule) -> None:
    """Declare the rows that the foreign key ``name`` of ``model`` may refer to, so that no form offers others.

    ``given`` maps the name of another field, of the same row or of the page around it, to the path from a choice to
    that field's value, or to a function that gives the condition for its id; "id" is the row itself. The database
    holds all writers to the rule; this keeps staff from running into it.
    """
    if always is not None:
        _always[model, name] = always
    for field, rule in given.items():
        _rules[model, name][field] = rule if callable(rule) else _by(rule)


def _by(path: str) -> Rule:
    return lambda pk: Q(**{path: pk})


def fitting(field: Any, rows: QuerySet, given: Mapping[str, str]) -> QuerySet:
    """The ``rows`` that the foreign key ``field`` may refer to, beside the ids ``given`` by field."""
    key = (field.model, field.name)
    rows = rows.filter(_always.get(key, Q()))
    for name, rule in _rules.get(key, {}).items():
        if is_id(given.get(name, "")):
            rows = rows.filter(rule(int(given[name])))
    return rows


def attend(field: Any, widget: Any, **fixed: Any) -> None:
    """Have ``widget``, which offers choices for the foreign key ``field``, send the values that they must fit.

    ``fixed`` are ids by field, for fields that the form lacks. The rest is done by staff/choices.js.
    """
    if rules := _rules.get((field.model, field.name)):
        _inner(widget).attrs["data-given"] = " ".join(rules)
        fix(widget, **fixed)


def fix(widget: Any, **fixed: Any) -> None:
    """Set the ``fixed`` of ``attend`` for a ``widget`` that attends to anything."""
    attrs = _inner(widget).attrs
    if "data-given" in attrs:
        attrs["data-fixed"] = json.dumps({name: str(pk) for name, pk in fixed.items()})


def _inner(widget: Any) -> Any:
    return widget.widget if isinstance(widget, RelatedFieldWidgetWrapper) else widget


def several(model: type[Model], name: str, request: HttpRequest, **options: Any) -> forms.ModelMultipleChoiceField:
    """The rows that the foreign key ``name`` of ``model`` may refer to and that the member of staff may see."""
    field: Any = model._meta.get_field(name)
    widget = AutocompleteSelectMultiple(field, admin.site)
    attend(field, widget)
    return forms.ModelMultipleChoiceField(
        visible_to(request.user, field.remote_field.model._default_manager.all()),
        widget=widget,
        required=False,
        **options,
    )
