"""Filters of lists whose choices stay few, however many rows there are."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

MAX_CHOICES = 50
"""Of more related rows than this, the sidebar is no place to choose one."""


class FewChoicesFilter(admin.RelatedFieldListFilter):
    """A filter by a related row; with more than MAX_CHOICES of them it only shows that it is in use."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        rows = field.remote_field.model._default_manager.order_by("name")[: MAX_CHOICES + 1]
        choices = [(row.pk, str(row)) for row in rows]
        return choices if len(choices) <= MAX_CHOICES else []

    def has_output(self) -> bool:
        # A filter without output swallows its parameter, and the list would silently be of everything.
        return bool(self.lookup_val) or super().has_output()
