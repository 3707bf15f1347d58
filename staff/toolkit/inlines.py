"""Lists of the rows that belong to a row, on its own page."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import display_for_value
from django.db.models import Model
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.forms import PaginationInlineFormSet

from staff.toolkit.choices import fix
from staff.toolkit.forms import StaffFields, StaffForm
from staff.toolkit.links import address, link_to
from staff.toolkit.scope import Scoped

INLINE_ROWS = 10
"""Rows of an inline: a large organization's page must open, and be saved, as quickly as a small one's."""


class EditableInline(Scoped, StaffFields, TabularInline):
    """All rows that belong to the page's own, few by nature, to be changed in place."""

    form = StaffForm
    extra = 0

    def get_formset(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **options)
        for field in formset.form.base_fields.values() if obj else ():
            fix(field.widget, **{formset.fk.name: obj.pk})
        return formset


class _NewestRows(PaginationInlineFormSet):
    def get_queryset(self) -> Any:
        if not hasattr(self, "_newest"):
            self._newest = super().get_queryset()[:INLINE_ROWS]
        return self._newest


class ListInline(EditableInline):
    """The newest rows that belong to the page's own, each with a link to its page; more can be added, none changed."""

    formset = _NewestRows
    can_delete = False
    hide_title = True  # it would say each row twice, and show the link to its page to a mouse alone
    ordering = ("-pk",)
    more_fields: ClassVar[tuple[str, ...]] = ()
    """The fields of ``choosing`` after the one that is chosen."""
    select_related: ClassVar[tuple[str, ...]] = ()
    prefetch_related: ClassVar[tuple[str, ...]] = ()
    readonly_fields: ClassVar[tuple[str, ...]] = ("since",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        return [*fields, "page"] if self.admin_site.is_registered(self.model) else fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_readonly_fields(request, obj), "page"]

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).prefetch_related(*self.prefetch_related)
        return rows.select_related(*self.select_related) if self.select_related else rows

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="created at")
    def since(self, obj: Any) -> Any:
        """``created_at``, which of a row that is still to be made is an expression."""
        return display_for_value(obj.created_at, "-") if obj.pk else "-"

    @admin.display(description="page")
    def page(self, obj: Any) -> SafeString | str:
        return link_to(address(obj, "change"), "Open", label=f"Open {obj}") if obj.pk else "-"


class LinkInline(ListInline):
    """Links of the page's own row, which are removed here but have no page."""

    can_delete = True


def choosing(
    name: str, model: type[Model], owner: str, *, base: type[ListInline] = ListInline, noun: str = "", plural: str = ""
) -> type[ListInline]:
    """An inline on the page of the row in ``owner``: rows of ``model``, whose foreign key ``name`` a form chooses."""
    noun = noun or name
    fields = {
        "model": model,
        "fields": (name, *base.more_fields),
        "autocomplete_fields": (name,),
        "select_related": (name, owner),
        "verbose_name": noun,
        "verbose_name_plural": plural or f"newest {noun}s",
    }
    return type(f"{model.__name__}By{owner.capitalize()}Inline", (base,), fields)


class ReadOnlyInline(ListInline):
    """The newest rows that belong to the page's own, to look at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
