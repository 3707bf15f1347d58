"""Filters of lists that stay small, however many rows there are to filter by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar, cast

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.timezone import make_aware
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.contrib.filters.forms import RangeDateTimeForm


class RelatedFilter(AutocompleteSelectFilter):
    """By a related row, which is found by typing, among those that the member of staff may see."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        page = changelist.model_admin.admin_site.get_model_admin(cast(type[Model], self.field.related_model))
        for choice in super().choices(changelist):
            choice["form"].fields[self.lookup_kwarg].queryset = page.get_queryset(self.request)
            yield choice


class LackFilter(SimpleListFilter):
    """By related rows that are not there. ``lacks`` are the names of the choices, with the rows that are looked for.

    The rows refer to the outer one by ``OuterRef("pk")``.
    """

    lacks: ClassVar[dict[str, tuple[str, QuerySet]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, title) for name, (title, _) in self.lacks.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in self.lacks:
            return queryset
        _, rows = self.lacks[str(self.value())]
        return queryset.filter(~Exists(rows))


class EndsSoonFilter(SimpleListFilter):
    """By the end of rows that have an ``expires_at``."""

    title, parameter_name = "ends", "ends"
    DAYS: ClassVar[dict[str, str]] = {"1": "Within a day", "7": "Within 7 days", "30": "Within 30 days"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.DAYS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in self.DAYS:
            return queryset
        now = timezone.now()
        return queryset.filter(expires_at__gt=now, expires_at__lte=now + timedelta(days=int(str(self.value()))))


class _WhenForm(RangeDateTimeForm):
    class Media:
        extend = False
        js = (reverse_lazy("admin:jsi18n"), *RangeDateTimeForm.Media.js)  # which the latter need


class WhenFilter(RangeDateTimeFilter):
    """unfold's, in the time zone of the service (UTC), and content with dates without a time: both whole days count."""

    form_class = _WhenForm

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        for lookup, moment in self.bounds():
            queryset = queryset.filter(**{f"{self.field_path}__{lookup}": moment})
        return queryset

    def bounds(self) -> Iterator[tuple[str, datetime]]:
        """The ends that are given: ``gte`` or ``lte``, and the moment."""
        for end, lookup, default in (("from", "gte", "00:00"), ("to", "lte", "23:59:59.999999")):
            day, time = (str(self.used_parameters.get(f"{self.field_path}_{end}_{part}") or "") for part in (0, 1))
            if moment := _moment(f"{day} {time or default}"):
                yield lookup, moment


def _moment(text: str) -> datetime | None:
    try:
        return make_aware(datetime.fromisoformat(text))
    except ValueError:
        return None
