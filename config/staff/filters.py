"""Filters of lists that stay small, however many rows there are to filter by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from django.contrib.admin.views.main import ChangeList
from django.db.models import Model
from unfold.contrib.filters.admin import AutocompleteSelectFilter


class RelatedFilter(AutocompleteSelectFilter):
    """By a related row, which is found by typing, among those that the member of staff may see."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        page = changelist.model_admin.admin_site.get_model_admin(cast(type[Model], self.field.related_model))
        for choice in super().choices(changelist):
            choice["form"].fields[self.lookup_kwarg].queryset = page.get_queryset(self.request)
            yield choice
