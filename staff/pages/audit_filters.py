"""The filters of the audit log. Each is a search in one of its indexes, or bounds the others by a range of ids."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.utils.text import capfirst
from unfold.contrib.filters.admin import TextFilter

from accounts.models import Deployment, User
from audit.models import AuditEntry
from audit.triggers import audited_models
from organizations.models import Organization, Workspace
from staff.access.permissions import visible_to
from staff.toolkit.filters import WhenFilter
from staff.toolkit.search import is_id

MAX_SUBJECTS = 50
"""People or places that one name may have meant over the years."""
LONGEST_STATEMENT = timedelta(hours=1)
"""An entry has the time at which its statement began, and gets its id while that runs."""


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
        return queryset.filter(deployment_id=int(value)) if is_id(value) else queryset


class _Typed(TextFilter):
    """By a text that is typed; without a NUL, which no text in the database has."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        text = (self.value() or "").strip()
        if "\0" in text:
            return queryset.none()
        found: QuerySet = self.matching(request, queryset, text) if text else queryset
        return found

    def matching(self, request: HttpRequest, queryset: Any, text: str) -> Any:
        raise NotImplementedError


class _SubjectFilter(_Typed):
    """The changes of rows of ``models`` and of all that refers to them, by a name that they have or had."""

    models: ClassVar[tuple[type[Model], ...]]

    def matching(self, request: HttpRequest, queryset: Any, text: str) -> Any:
        kept = AuditEntry.objects.alias(lowered=Lower("name")).filter(
            lowered=text.lower(),
            name__gt="",  # as the index has it
            model__in=[model._meta.label_lower for model in self.models],
        )
        found = visible_to(request.user, kept).order_by().values_list("model", "object_id").distinct()
        subjects = {f"{label}:{pk}" for label, pk in found[:MAX_SUBJECTS]} | set(self.present(request, text))
        return queryset.filter(subjects__overlap=sorted(subjects))

    def present(self, request: HttpRequest, text: str) -> Iterable[str]:
        """The subjects that ``text`` means today."""
        return ()


class PersonFilter(_SubjectFilter):
    """Also by any user's present address, username or id."""

    title = "person (email address, username or id)"
    parameter_name = "person"
    models = (User,)

    def present(self, request: HttpRequest, text: str) -> Iterable[str]:
        page: Any = admin.site.get_model_admin(User)
        ids = page.ids_called(request, text, most=MAX_SUBJECTS)
        return [f"{User._meta.label_lower}:{pk}" for pk in ([*ids, int(text)] if is_id(text) else ids)]


class PlaceFilter(_SubjectFilter):
    title = "place (whole name of an organization or workspace)"
    parameter_name = "place"
    models = (Organization, Workspace)


class ObjectFilter(_Typed):
    title = "object (the beginning of its name, or its id)"
    parameter_name = "object"

    def matching(self, request: HttpRequest, queryset: Any, text: str) -> Any:
        if is_id(text):
            return queryset.filter(object_id=int(text))
        return queryset.alias(lowered=Lower("name")).filter(lowered__startswith=text.lower(), name__gt="")


class ActorFilter(_Typed):
    title = "actor (staff, user, command or database role)"
    parameter_name = "actor"

    def matching(self, request: HttpRequest, queryset: Any, text: str) -> Any:
        return queryset.filter(actor_name=text)


class GroupFilter(_Typed):
    """The entries of one action; links lead to it, nobody types it."""

    title = "action as a whole"
    parameter_name = "group"

    def has_output(self) -> bool:
        return self.value() is not None

    def matching(self, request: HttpRequest, queryset: Any, text: str) -> Any:
        group_id = as_uuid(text)
        return queryset.none() if group_id is None else queryset.filter(group_id=group_id)


class BeforeFilter(_Typed):
    """The entries before one; a link leads to it where a list has not looked at all of them."""

    title = "id, below"
    parameter_name = "before"

    def has_output(self) -> bool:
        return self.value() is not None

    def matching(self, request: HttpRequest, queryset: Any, text: str) -> Any:
        return queryset.filter(pk__lt=int(text)) if is_id(text) else queryset.none()


class EntryTimeFilter(WhenFilter):
    """The ids grow with the time, so the time also bounds the ids, in which all other indexes are ordered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "time (UTC)"

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        for lookup, moment in self.bounds():
            queryset = queryset.filter(**{f"at__{lookup}": moment}, **_ids(lookup, moment))
        return queryset


def _ids(lookup: str, moment: datetime) -> dict[str, int]:
    if lookup == "gte":
        entry = AuditEntry.objects.filter(at__lt=moment - LONGEST_STATEMENT).order_by("-at").first()
        return {"pk__gt": entry.pk} if entry else {}
    entry = AuditEntry.objects.filter(at__gt=moment + LONGEST_STATEMENT).order_by("at").first()
    return {"pk__lt": entry.pk} if entry else {}


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
