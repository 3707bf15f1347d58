"""What the pages for staff have in common: where they answer, what they show, and how a refusal is told."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import Any, ClassVar, cast

from django import forms
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import display_for_value
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import AdminTextareaWidget, RelatedFieldWidgetWrapper
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import DatabaseError, DataError, IntegrityError, models
from django.forms.models import BaseInlineFormSet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from config.database.models import MetadataField
from config.database.triggers import CHECK_VIOLATION
from config.forms import JsonObjectField, LinesField

MAX_ID = 2**63 - 1
MAX_CHOICES = 50
"""Of more deployments than this, the sidebar is no place to choose one."""
INLINE_ROWS = 20
"""Rows of an inline: a large organization's page must open, and be saved, as quickly as a small one's."""


class _Autocomplete(AutocompleteJsonView):
    """Offers rows by what tells them apart, not by their name alone."""

    model_admin: StaffAdmin

    def get_queryset(self) -> models.QuerySet:
        rows = super().get_queryset()
        related = getattr(self.model_admin, "label_select_related", ())
        return rows.select_related(*related) if related else rows  # without a name it would follow every foreign key

    def serialize_result(self, obj: models.Model, to_field_name: str) -> dict[str, str]:
        result = super().serialize_result(obj, to_field_name)
        if isinstance(self.model_admin, StaffAdmin):
            result["text"] = self.model_admin.label(obj)
        return result


class StaffSite(admin.AdminSite):
    """The admin. If ADMIN_HOSTS names any host, no other has it: the page does not exist there."""

    site_header = "Rollcall"
    site_title = "Rollcall"
    index_title = "Administration"
    site_url = None

    def admin_view(self, view: Callable[..., HttpResponseBase], cacheable: bool = False) -> Any:
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def only_here(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            require_admin_host(request)
            return inner(request, *args, **kwargs)

        return only_here

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        require_admin_host(request)
        return super().login(request, extra_context)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """What Django calls "Authentication and Authorization" is the staff: the other users are the deployments'."""
        apps_shown = super().get_app_list(request, app_label)
        for app in apps_shown:
            if app["app_label"] == "auth":
                app["name"] = "Staff"
        return apps_shown

    def autocomplete_view(self, request: HttpRequest) -> Any:
        return _Autocomplete.as_view(admin_site=self)(request)


def require_admin_host(request: HttpRequest) -> None:
    """Raise ``Http404`` unless the Host header names one of ADMIN_HOSTS or there are none."""
    host = split_domain_port(request.get_host())[0].removesuffix(".")
    if settings.ADMIN_HOSTS and host not in {allowed.lower() for allowed in settings.ADMIN_HOSTS}:
        raise Http404


class FewChoicesFilter(admin.RelatedFieldListFilter):
    """A filter by a related row; with more than MAX_CHOICES of them it only shows that it is in use."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        rows = field.remote_field.model._default_manager.order_by("name")[: MAX_CHOICES + 1]
        choices = [(row.pk, str(row)) for row in rows]
        return choices if len(choices) <= MAX_CHOICES else []

    def has_output(self) -> bool:
        # A filter without output swallows its parameter, and the list would silently be of everything.
        return bool(self.lookup_val) or super().has_output()


class StaffForm(forms.ModelForm):
    """Holds the row to every constraint, those over fields that the page does not show or let change included."""

    refusal = ""
    """What the database said to this very form; see ``StaffAdmin.changeform_view``."""

    def clean(self) -> Any:
        if self.refusal:
            self.add_error(None, self.refusal)
        return super().clean()

    def validate_unique(self) -> None:
        super().validate_unique()
        # Django leaves out a constraint if the form lacks one of its fields, though the row has a value there.
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self.add_error(None, error.messages)


class _Fields:
    """Form fields for lists and metadata, of pages and inlines alike."""

    formfield_overrides: Any = {
        MetadataField: {
            "form_class": JsonObjectField,
            "show_hidden_initial": False,
            "widget": AdminTextareaWidget(attrs={"rows": 6}),
        },
        models.TextField: {"widget": AdminTextareaWidget(attrs={"rows": 3})},
        models.URLField: {"assume_scheme": "https"},
    }

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, ArrayField):
            field: Any = _lines(db_field)
        else:
            field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if field is not None:
            field.label = _ACRONYMS.sub(lambda match: _SPELLING[match[0].lower()], str(field.label))
        if isinstance(getattr(field, "widget", None), RelatedFieldWidgetWrapper):
            field.widget.can_delete_related = False  # a cross beside a choice looks like clearing it
        return field


_SPELLING = {"ip": "IP", "ips": "IPs", "mfa": "MFA", "url": "URL"}
_ACRONYMS = re.compile(rf"\b({'|'.join(_SPELLING)})\b", re.IGNORECASE)


def _lines(db_field: ArrayField) -> Any:
    # Not by ArrayField.formfield: that one is for fields of comma-separated values.
    return models.Field.formfield(
        db_field,
        form_class=cast(Any, partial(LinesField, item=db_field.base_field)),
        show_hidden_initial=False,
        widget=AdminTextareaWidget(attrs={"rows": 4}),
        help_text=f"One a line. {db_field.help_text}".strip(),
    )


class StaffAdmin(_Fields, admin.ModelAdmin):
    """The pages of a model. ``identity`` is what an existing row can no longer change."""

    form = StaffForm
    identity: ClassVar[tuple[str, ...]] = ()
    on_change_only: ClassVar[tuple[str, ...]] = ("see_also", "created_at", "updated_at")
    """What a row only has once it exists."""
    label_select_related: ClassVar[tuple[str, ...]] = ()
    readonly_fields: ClassVar[tuple[str, ...]] = ("see_also", "created_at", "updated_at")
    ordering = ("-pk",)  # by age, and unlike created_at it has an index
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # one count of all rows for each choice

    def label(self, obj: Any) -> str:
        """``obj`` among others of all deployments; ``label_select_related`` names what this reads."""
        return str(obj)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [*super().get_inlines(request, obj), *_added_inlines[self.model]]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_readonly_fields(request, obj), *(self.identity if obj else ())]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None:
            return fieldsets
        kept = [
            (title, {**options, "fields": [field for field in options["fields"] if field not in self.on_change_only]})
            for title, options in fieldsets
        ]
        return [(title, options) for title, options in kept if options["fields"]]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.refusal = getattr(request, "refusal", "")
        return form

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """Show the form again, with the reason, if the database refuses what the form's own checks let pass.

        No check before it can rule that out: others write at the same time, and rows of one form may contradict each
        other.
        """
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except (IntegrityError, DataError) as error:
            request.refusal = refusal_of(error)  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By the ``search_fields``, and by id."""
        if "\0" in search_term:
            return queryset.none(), False
        found, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        term = search_term.strip()
        if term.isascii() and term.isdigit() and len(term) < 20 and int(term) <= MAX_ID:
            found |= queryset.filter(pk=int(term))
        return found, may_have_duplicates

    @admin.display(description="see also")
    def see_also(self, obj: Any) -> SafeString:
        """Links to the lists of what belongs to ``obj``."""
        lists = [
            (relation.related_model, f"?{relation.field.name}__id__exact={obj.pk}")
            for relation in self.opts.related_objects
            if relation.one_to_many and self.admin_site.is_registered(relation.related_model)
        ]
        return format_html_join(
            " · ",
            '<a href="{}{}">{}</a>',
            (
                (reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist"), query, plural(model))
                for model, query in lists
            ),
        )


class ReadOnlyAdmin(StaffAdmin):
    """The pages of what staff may look at, and delete, but never write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class _NewestRows(BaseInlineFormSet):
    def get_queryset(self) -> Any:
        if not hasattr(self, "_newest"):
            self._newest = super().get_queryset()[:INLINE_ROWS]
        return self._newest


class ListInline(_Fields, admin.TabularInline):
    """The newest rows that belong to the page's own, each with a link to its page; more can be added, none changed."""

    form = StaffForm
    formset = _NewestRows
    extra = 0
    can_delete = False
    show_change_link = True
    ordering = ("-pk",)
    select_related: ClassVar[tuple[str, ...]] = ()
    prefetch_related: ClassVar[tuple[str, ...]] = ()
    readonly_fields: ClassVar[tuple[str, ...]] = ("since",)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).prefetch_related(*self.prefetch_related)
        return rows.select_related(*self.select_related) if self.select_related else rows

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="created at")
    def since(self, obj: Any) -> Any:
        """``created_at``, which of a row that is still to be made is an expression."""
        return display_for_value(obj.created_at, "-") if obj.pk else "-"


class ReadOnlyInline(ListInline):
    """The newest rows that belong to the page's own, to look at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


_added_inlines: defaultdict[type[models.Model], list[type[admin.options.InlineModelAdmin]]] = defaultdict(list)


def add_inlines(model: type[models.Model], *inlines: type[admin.options.InlineModelAdmin]) -> None:
    """Show ``inlines`` on the page of ``model``, which belongs to an app that may not know of them."""
    _added_inlines[model] += inlines


def plural(model: type[models.Model]) -> str:
    return capfirst(str(model._meta.verbose_name_plural))


def link(obj: models.Model | None) -> SafeString | None:
    """A link to the page of ``obj``."""
    if obj is None:
        return None
    return format_html(
        '<a href="{}">{}</a>', reverse(f"admin:{obj._meta.label_lower.replace('.', '_')}_change", args=[obj.pk]), obj
    )


def names(rows: Iterable[models.Model]) -> str:
    return ", ".join(sorted(map(str, rows)))


def refusal_of(error: DatabaseError) -> str:
    """What to tell the person whose change the database refused with ``error``."""
    diagnostics: Any = getattr(error.__cause__, "diag", None)
    if diagnostics is not None:
        for model in apps.get_models():
            for constraint in model._meta.constraints:
                if constraint.name == diagnostics.constraint_name:
                    return _violation(model, constraint)
        if diagnostics.sqlstate == CHECK_VIOLATION and not diagnostics.table_name:  # raised by a trigger of ours
            return f"{capfirst(diagnostics.message_primary)}."
    return "The database refused this. Somebody may have changed the same data meanwhile: check it, and save again."


def _violation(model: type[models.Model], constraint: models.BaseConstraint) -> str:
    if constraint.violation_error_message == constraint.default_violation_error_message and isinstance(
        constraint, models.UniqueConstraint
    ):
        return model().unique_error_message(model, constraint.fields).messages[0]
    return str(constraint.get_violation_error_message())
