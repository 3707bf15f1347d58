"""The audit log: all of it, and the history of each object. Nobody can change it here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from accounts.models import Deployment
from audit.models import AuditEntry
from audit.names import model_of, name_subjects, referred_to
from audit.triggers import audited_models
from staff.access.permissions import PRIVATE_METADATA, visible_to
from staff.toolkit.filters import WhenFilter
from staff.toolkit.links import address, link_to
from staff.toolkit.pages import ReadOnlyAdmin

HIDDEN = "(hidden)"
"""Stands for a value that the reader may not see."""


class ModelFilter(admin.SimpleListFilter):
    title = "kind of object"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [(model._meta.label_lower, capfirst(str(model._meta.verbose_name))) for model in audited_models()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(model=self.value()) if self.value() else queryset


class DeploymentFilter(admin.SimpleListFilter):
    """By one of the deployments that still exist. With very many, each has its history on its own page."""

    title = "deployment"
    parameter_name = "deployment"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        rows = visible_to(request.user, Deployment.objects.order_by("name"))
        return [(str(row.pk), str(row)) for row in rows[:50]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value() or ""
        return queryset.filter(deployment_id=int(value)) if value.isascii() and value.isdigit() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("when", "who", "action", "what", "deployment", "differences")
    list_display_links = ("when",)
    list_before_template: Any = "staff/history_of.html"
    list_filter = ("action", "actor_kind", ModelFilter, DeploymentFilter, ("at", WhenFilter))
    search_fields = ("name",)  # shows the field; see get_search_results
    search_help_text = "Object's name or id, or who changed it"
    actions = None
    fields = readonly_fields = ("when", "who", "action", "what", "deployment", "differences")
    sortable_by = ()
    name_subjects = staticmethod(name_subjects)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        """The entries that the reader may see, or those about one object on its page."""
        entries: QuerySet[AuditEntry] = super().get_queryset(request)
        row = getattr(request, "history_of", None)
        if isinstance(row, Deployment):
            entries = entries.filter(deployment_id=row.pk)
        elif row is not None:
            entries = entries.filter(subjects__contains=[AuditEntry.subject(row)])
        deployments = Deployment.objects.filter(pk=OuterRef("deployment_id"))
        return entries.annotate(
            deployment_name=Subquery(deployments.values("name")),
            is_censored=Value(not request.user.has_perm(PRIVATE_METADATA), BooleanField()),
        )

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        if "\0" in term:
            return queryset.none(), False
        if not term:
            return queryset, False
        found = Q(lowered__startswith=term.lower(), name__gt="") | Q(actor_name=term)
        if term.isascii() and term.isdigit() and len(term) < 19:
            # Not by object_id alone, which has no index: every change pays for each index of the log.
            subjects = [f"{model._meta.label_lower}:{int(term)}" for model in audited_models()]
            found |= Q(subjects__overlap=subjects, object_id=int(term)) | Q(pk=int(term))
        return queryset.alias(lowered=Lower("name")).filter(found), False

    def history_of(self, request: HttpRequest, row: Any) -> HttpResponse:
        """The page of the changes of ``row`` and of the rows that refer to it, newest first."""
        request.history_of = row  # type: ignore[attr-defined]
        title: dict[str, Any] = {
            "title": f"History of {row._meta.verbose_name} “{row}”",
            "history_of": row,
            "back": address(row, "change"),
        }
        response: HttpResponse = self.changelist_view(request, title)
        return response

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        name_subjects(changes.result_list)
        return changes

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        entry = super().get_object(request, object_id, from_field)
        if entry is not None:
            name_subjects([entry])
        return entry

    @admin.display(description="when (UTC)")
    def when(self, entry: AuditEntry) -> str:
        return f"{entry.at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="who")
    def who(self, entry: AuditEntry) -> str:
        kind = entry.get_actor_kind_display()
        source = f" from {entry.address}" if entry.address else ""
        return f"{entry.actor_name} · {kind}{source}" if entry.actor_name else f"{capfirst(kind)}{source}"

    @admin.display(description="object")
    def what(self, entry: AuditEntry) -> SafeString | str:
        """The object, with a link to its page as long as it may have one."""
        model = model_of(entry.model)
        kind = capfirst(str(model._meta.verbose_name)) if model else entry.model
        text = f"{kind} {entry.name or entry.object_id}"
        if not entry.name and (names := _names(entry).values()):
            text += f" ({', '.join(names)})"
        if model is None or entry.action == AuditEntry.Action.DELETED or not self.admin_site.is_registered(model):
            return text
        return link_to(address(model(pk=entry.object_id), "change"), text)

    @admin.display(description="deployment")
    def deployment(self, entry: Any) -> str:
        return entry.deployment_name or entry.deployment_id or "-"

    @admin.display(description="before → after")
    def differences(self, entry: Any) -> SafeString:
        """A line for each column that changed; for an added or deleted row, for each column with a value of its own."""
        model = model_of(entry.model)
        before, after = entry.before or {}, entry.after or {}
        lines = []
        for column in before | after:
            values = [state[column] for state in (before, after) if column in state]
            if len(values) == 2 or (column not in ("id", "created_at") and values[0] not in (None, "", [], {})):
                is_hidden = entry.is_censored and column == "private_metadata"
                texts = [HIDDEN if is_hidden else _shown(value) for value in values]
                for number, value in enumerate(values):
                    if name := _names(entry).get(referred_to(model, column, value)):
                        texts[number] = f"{name} ({value})"
                lines.append((column, " → ".join(texts)))
        return format_html("<div>{}</div>", format_html_join(SafeString("<br>"), "<strong>{}</strong> {}", lines))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _names(entry: Any) -> dict[str, str]:
    return getattr(entry, "subject_names", {})
