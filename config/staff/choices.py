"""Fields that offer several rows at once, found by typing; Django's admin has such a field for one row alone."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.db.models import Model
from django.http import HttpRequest

from config.staff.scope import visible_to


def several(model: type[Model], name: str, request: HttpRequest, **options: Any) -> forms.ModelMultipleChoiceField:
    """Rows that the foreign key ``name`` of ``model`` may refer to, of those that the member of staff may see."""
    field: Any = model._meta.get_field(name)
    return forms.ModelMultipleChoiceField(
        visible_to(request.user, field.remote_field.model._default_manager.all()),
        widget=AutocompleteSelectMultiple(field, admin.site),
        required=False,
        **options,
    )
