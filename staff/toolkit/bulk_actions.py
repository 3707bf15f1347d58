"""Actions on many rows: chosen in a list, previewed, and then done in one transaction or not at all.

The preview is the action itself, rolled back: it shows the changes, and the reasons that prevent them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import DatabaseError, models, transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html

from api.errors import LAST_ADMIN
from api.exceptions import violated_by
from audit import groups
from staff.bulk_changes import Change, Refused
from staff.toolkit.changes import undo_link
from staff.toolkit.links import counted
from staff.toolkit.refusals import WITHOUT_ADMIN, refusal_of, settle
from staff.toolkit.search import among, is_id

MAX_ROWS = 10_000
"""The limit of one action: it is one transaction, and a person can still look over its preview."""
SHOWN = 200
"""Rows that a preview lists; the others are counted."""

GONE = "Some of the rows have changed or been deleted: select them again."

Run = Callable[[list[Any], dict[str, Any]], list[Change]]


class NothingToAsk(forms.Form):
    """The form of an action without further fields."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def offer_to(self, rows: list[Any]) -> None:
        """Have the fields offer only choices that fit ``rows``."""


@dataclass(frozen=True)
class BulkAction:
    """Does ``run`` with the chosen rows and the form's cleaned data, for those with all of the ``permissions``.

    ``form`` is called with the request and the form's arguments; its fields are the action's parameters.
    """

    name: str
    description: str
    permissions: tuple[str, ...]
    run: Run
    form: Callable[..., NothingToAsk] = NothingToAsk
    select_related: tuple[str, ...] = ()

    def may(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perms(self.permissions))

    def __call__(self, page: admin.ModelAdmin, request: HttpRequest, queryset: models.QuerySet) -> HttpResponse | None:
        """Ask, preview, or do it: the page posts to the list again until "apply" is pressed."""
        if not self.may(request):
            raise PermissionDenied
        rows = self._rows(request, queryset)
        if not rows or len(rows) > MAX_ROWS:
            text = f"Select at most {MAX_ROWS:,} rows." if rows else GONE
            page.message_user(request, text, messages.ERROR)
            return None
        asks = "ids" not in request.POST
        form = self.form(request, None if asks else request.POST)
        form.offer_to(rows)
        needs_input = bool(form.fields)
        changes: list[Change] | None = None
        reasons: list[str] = []
        way_out = bool(request.POST.get(WITHOUT_ADMIN))
        if not (asks and needs_input) and (form.is_valid() or not needs_input):
            applies = "apply" in request.POST
            try:
                changes = self._do(request, rows, getattr(form, "cleaned_data", {}), saves=applies)
            except Refused as refusal:
                reasons = refusal.reasons
                way_out = violated_by(refusal.__cause__) == LAST_ADMIN
            else:
                if applies:
                    number = sum(1 for change in changes if change.text)
                    done = format_html("{}: {} changed. {}", self.description, f"{number:,}", undo_link(request))
                    page.message_user(request, done, messages.SUCCESS)
                    return None
        return self._page(page, request, rows, form=form, changes=changes, reasons=reasons, way_out=way_out)

    def _rows(self, request: HttpRequest, queryset: models.QuerySet) -> list[Any]:
        """The rows of the selection, or of a page that was shown before; none if some of these can be seen no more."""
        ids = shown_before(request)
        if ids is not None:
            queryset = queryset.filter(among(ids[: MAX_ROWS + 1]))
        queryset = queryset.select_related(*self.select_related) if self.select_related else queryset
        rows = list(queryset.prefetch_related(None)[: MAX_ROWS + 1])
        return rows if ids is None or len(rows) == len(ids) else []

    def _do(self, request: HttpRequest, rows: list[Any], data: dict[str, Any], *, saves: bool) -> list[Change]:
        """Raises ``Refused``, also if the database itself refuses the change."""
        try:
            with transaction.atomic():
                changes = self.run(rows, data)
                settle(request)
                groups.name(f"{self.description}: {counted(type(rows[0]), len(rows))}")
                if not saves:
                    transaction.set_rollback(True)
                return changes
        except DatabaseError as error:
            raise Refused([refusal_of(error)]) from error

    def _page(
        self,
        page: admin.ModelAdmin,
        request: HttpRequest,
        rows: list[Any],
        *,
        changes: list[Change] | None,
        **more: Any,
    ) -> HttpResponse:
        real = [change for change in changes or [] if change.text]
        context = {
            **page.admin_site.each_context(request),
            "title": self.description,
            "opts": page.opts,
            "action_name": self.name,
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "number": len(rows),
            "ids": ",".join(str(row.pk) for row in rows),
            "first": rows[0].pk,
            "rows": rows[:SHOWN],
            "is_previewed": changes is not None,
            "changes": list(islice(real, SHOWN)),
            "number_of_changes": len(real),
            "number_unchanged": len(rows) - len(real),
            "number_not_shown": max(0, (len(real) if changes is not None else len(rows)) - SHOWN),
            "reasons": more["reasons"][:SHOWN],
            "way_out": more["way_out"],
            "form": more["form"],
            "media": page.media + more["form"].media,
        }
        return TemplateResponse(request, "staff/bulk_action.html", context)


def shown_before(request: HttpRequest) -> list[int] | None:
    """The ids of the rows that a page showed before, in one field, since Django takes 1,000 fields at most.

    None if no page did. Raises ``BadRequest`` if one is no id.
    """
    if "ids" not in request.POST:
        return None
    texts = request.POST["ids"].split(",")
    if not all(map(is_id, texts)):
        raise BadRequest("a chosen row is no id")
    return list(map(int, texts))


def offered(request: HttpRequest, actions: Iterable[BulkAction]) -> dict[str, tuple[BulkAction, str, str]]:
    """The ``actions`` that the member of staff may do, as Django lists actions."""
    return {action.name: (action, action.name, f"{action.description} …") for action in actions if action.may(request)}
