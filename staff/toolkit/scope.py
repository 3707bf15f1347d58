"""The rows, choices and fields of a page that a member of staff may see.

``staff.access.permissions`` decides; this module only applies it.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import Http404, HttpRequest

from audit.models import AuditEntry
from staff.access.permissions import PRIVATE_METADATA, visible_to

LOOKUPS = {"exact", "in", "isnull", "isempty"}
"""The lookups that filters of lists, and links to lists, use."""


class Scoped:
    """A page or an inline that has only rows, and offers only choices, that its reader may see."""

    def get_queryset(self, request: HttpRequest) -> Any:
        return visible_to(request.user, super().get_queryset(request))  # type: ignore[misc]  # the admin class beside it has it

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> Any:
        """The choices of a related field; a posted value must be among them, too."""
        rows = super().get_field_queryset(db, db_field, request)  # type: ignore[misc]  # the admin class beside it has it
        if rows is None:
            rows = db_field.remote_field.model._default_manager.using(db)
        return visible_to(request.user, rows.all())


class ScopedPage(Scoped):
    """The pages of a model, without rows of other deployments: these are not found, like ids that do not exist."""

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> Any:
        raise Http404(f"There is no {opts.verbose_name} {object_id!r}.")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without private metadata, unless the reader may see it; what a form lacks, it cannot change either."""
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]  # the admin class beside it has it
        if request.user.has_perm(PRIVATE_METADATA):
            return fieldsets
        return [
            (title, {**options, "fields": [field for field in options["fields"] if field != "private_metadata"]})
            for title, options in fieldsets
        ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """By relations and the filters of the list alone, and for given values alone.

        Django lets anybody guess at any column of the model, hashes of passwords included, one letter after the other,
        and apply any operator of PostgreSQL to it, such as a regular expression to a date.
        """
        page: Any = self
        name = lookup.partition("__")[0]
        if not set(_lookups(page.model, lookup)) <= LOOKUPS:
            return False
        try:
            field = page.opts.pk if name == "pk" else page.opts.get_field(name)
        except FieldDoesNotExist:
            field = None
        is_harmless = field is None or field.is_relation or getattr(field, "primary_key", False)
        if not is_harmless and name not in {_filtered(item) for item in page.list_filter}:
            return False
        return bool(super().lookup_allowed(lookup, value, request))  # type: ignore[misc]  # the admin class beside it has it

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """The row's part of the audit log."""
        page: Any = self
        row = page.get_object(request, object_id)
        if row is None:
            raise Http404
        log: Any = page.admin_site.get_model_admin(AuditEntry)
        return log.history_of(request, row)


def _lookups(model: type[Model], path: str) -> list[str]:
    """The parts of ``path`` after the fields that it names; none if it does not begin with a field of ``model``."""
    steps = path.split("__")
    fields: Any = model
    for number, step in enumerate(steps):
        try:
            field: Any = fields._meta.pk if step == "pk" else fields._meta.get_field(step)
        except FieldDoesNotExist:
            return steps[number:] if number else []
        fields = field.related_model
        if fields is None:
            return steps[number + 1 :]
    return []


def _filtered(item: Any) -> str:
    name: Any = item[0] if isinstance(item, tuple | list) else item
    return name.partition("__")[0] if isinstance(name, str) else str(getattr(name, "parameter_name", ""))
