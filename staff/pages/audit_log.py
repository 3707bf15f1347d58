"""The audit log: all of it, and the history of each object. Nobody can change it here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR
from django.db.models import BooleanField, Q, QuerySet, Value
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from unfold.decorators import action

from accounts.models import Deployment
from audit.groups import name_groups
from audit.models import AuditEntry, AuditGroup, kind_of, model_of
from audit.names import deployment_of, name_subjects, referred_to
from staff.access.permissions import PRIVATE_METADATA, access_of, visible_to
from staff.pages import audit_search
from staff.pages.audit_export import export_page
from staff.pages.audit_filters import (
    ActorFilter,
    BeforeFilter,
    DeploymentFilter,
    EntryTimeFilter,
    GroupFilter,
    ModelFilter,
    ObjectFilter,
    PersonFilter,
    PlaceFilter,
    as_uuid,
)
from staff.pages.undo import undo_page
from staff.toolkit.links import address, link_to
from staff.toolkit.lists import StaffChangeList
from staff.toolkit.pages import ReadOnlyAdmin
from staff.toolkit.search import is_id

UNNAMED = "one action"
UNFOLDED = 8
"""Lines of an entry that the list shows at once."""
HIDDEN = "(hidden)"
"""Stands for a value that the reader may not see."""


class AuditChangeList(StaffChangeList):
    """The newest entries that fit, of ``whole``; ``oldest`` is the last one looked at, None if all were."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[AuditEntry]:
        self.whole = super().get_queryset(request, exclude_parameters)
        found, self.oldest = audit_search.newest(self.whole)
        return found

    @property
    def looked_at(self) -> str:
        return f"{audit_search.LOOKED_AT:,}"

    @property
    def further_back(self) -> str:
        """The address of the list of those before ``oldest``."""
        before = {BeforeFilter.parameter_name: self.oldest.pk} if self.oldest else {}
        return str(self.get_query_string(before, [PAGE_VAR]))


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("when", "who", "action", "what", "deployment", "differences", "group")
    more_columns = ("id", "model", "object_id")
    list_display_links = ("when",)
    list_before_template: Any = "staff/audit_log_head.html"
    list_filter = (
        GroupFilter,
        BeforeFilter,
        PersonFilter,
        PlaceFilter,
        ObjectFilter,
        ActorFilter,
        ("at", EntryTimeFilter),
        "action",
        "actor_kind",
        ModelFilter,
        DeploymentFilter,
    )
    search_fields = ("name",)  # shows the field; see get_search_results
    search_help_text = "Object's name or id, or who changed it"
    actions = None
    actions_detail = ("undo",)  # type: ignore[assignment]  # Unfold says list; nothing adds to it
    fields = readonly_fields = ("when", "who", "action", "what", "deployment", "differences", "group")
    sortable_by = ()

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
        return entries.annotate(is_censored=Value(not request.user.has_perm(PRIVATE_METADATA), BooleanField()))

    def prepare(self, request: HttpRequest, entries: Iterable[AuditEntry]) -> None:
        """Read what the columns of the list need: the names of subjects and actions."""
        entries = list(entries)
        name_subjects(entries)
        groups = AuditGroup.objects.filter(pk__in={entry.group_id for entry in entries})
        name_groups(entries, visible_to(request.user, groups))

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        if "\0" in term:
            return queryset.none(), False
        if not term:
            return queryset, False
        found = Q(lowered__startswith=term.lower(), name__gt="") | Q(actor_name=term)
        if is_id(term):
            found |= Q(object_id=int(term)) | Q(pk=int(term))
        return queryset.alias(lowered=Lower("name")).filter(found), False

    def history_of(self, request: HttpRequest, row: Any) -> HttpResponse:
        """The page of the changes of ``row`` and of the rows that refer to it, newest first."""
        request.history_of = row  # type: ignore[attr-defined]  # for the template
        title: dict[str, Any] = {
            "title": f"History of {row._meta.verbose_name} “{row}”",
            "history_of": row,
            "back": address(row, "change"),
        }
        response: HttpResponse = self.changelist_view(request, title)
        return response

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        changes.is_exported = not hasattr(request, "history_of")
        self.prepare(request, changes.result_list)
        return changes

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        entry = super().get_object(request, object_id, from_field)
        if entry is not None:
            self.prepare(request, [entry])
        return entry

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """With the name of the action, where the list is one action's."""
        context: dict[str, Any] = {}
        if group_id := as_uuid(request.GET.get(GroupFilter.parameter_name, "")):
            context["group"] = visible_to(request.user, AuditGroup.objects.filter(pk=group_id)).first() or UNNAMED
            if self.has_undo_permission(request):
                context["undo"] = reverse("admin:audit_auditentry_undo_group", args=[group_id])
        return super().changelist_view(request, context | (extra_context or {}))

    def get_urls(self) -> list[Any]:
        undo = self.admin_site.admin_view(self.undo_group)
        own = path("action/<uuid:group_id>/undo/", undo, name="audit_auditentry_undo_group")
        return [own, *super().get_urls()]

    def has_undo_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return access_of(request.user).writes

    @action(description="Undo", url_path="undo", permissions=["undo"], icon="undo")  # type: ignore[operator]  # Unfold wraps methods too
    def undo(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Undo one entry."""
        return undo_page(self, request, entry=self.get_object(request, object_id))

    def undo_group(self, request: HttpRequest, group_id: UUID) -> HttpResponse:
        """Undo all entries of an action."""
        return undo_page(self, request, entry=self.get_queryset(request).filter(group_id=group_id).first(), whole=True)

    def group_address(self, entry: AuditEntry) -> str:
        return f"{address(AuditEntry, 'changelist')}?{GroupFilter.parameter_name}={entry.group_id}"

    def undo_address(self, entry: AuditEntry) -> str:
        """Of the page that undoes the action of ``entry``; the entry, where that is all that is known."""
        if entry.group_id is None:
            return address(entry, "undo")
        return reverse("admin:audit_auditentry_undo_group", args=[entry.group_id])

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return AuditChangeList

    def file_of(self, request: HttpRequest, changes: Any, kind: str) -> StreamingHttpResponse:
        return export_page(changes.whole, kind, prepare=partial(self.prepare, request))

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
        text = f"{capfirst(kind_of(entry.model))} {entry.name or entry.object_id}"
        names = [name for subject, name in _names(entry).items() if subject != deployment_of(entry)]
        if not entry.name and names:
            text += f" ({', '.join(names)})"
        if model is None or entry.action == AuditEntry.Action.DELETED or not self.admin_site.is_registered(model):
            return text
        return link_to(address(model(pk=entry.object_id), "change"), text)

    @admin.display(description="deployment")
    def deployment(self, entry: Any) -> str:
        return _names(entry).get(deployment_of(entry)) or entry.deployment_id or "-"

    @admin.display(description="part of")
    def group(self, entry: Any) -> SafeString | str:
        """A link to all entries of the same action."""
        if entry.group_id is None:
            return "-"
        return link_to(self.group_address(entry), str(entry.group or UNNAMED))

    @admin.display(description="before → after")
    def differences(self, entry: Any) -> SafeString:
        """A line for each column that changed; for an added or deleted row, for each column with a value of its own.

        Of very many lines, those after the first are folded away.
        """
        model = model_of(entry.model)
        before, after = entry.before or {}, entry.after or {}
        lines = [("erased", f"{entry.erased_at:%Y-%m-%d}")] if entry.erased_at else []
        for column in before | after:
            values = [state[column] for state in (before, after) if column in state]
            if len(values) == 2 or (column not in ("id", "created_at") and values[0] not in (None, "", [], {})):
                is_hidden = entry.is_censored and column == "private_metadata"
                texts = [HIDDEN if is_hidden else _shown(value) for value in values]
                for number, value in enumerate(values):
                    if name := _names(entry).get(referred_to(model, column, value)):
                        texts[number] = f"{name} ({value})"
                lines.append((column, " → ".join(texts)))
        shown, folded = lines[:UNFOLDED], lines[UNFOLDED:]
        more = format_html("<details><summary>{} more</summary>{}</details>", len(folded), _lines(folded))
        return format_html("<div>{}{}</div>", _lines(shown), more if folded else "")


def _lines(lines: Iterable[tuple[str, str]]) -> SafeString:
    return format_html_join(SafeString("<br>"), "<strong>{}</strong> {}", lines)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _names(entry: Any) -> dict[str, str]:
    return getattr(entry, "subject_names", {})
