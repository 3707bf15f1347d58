"""The page that undoes an action or one entry of the audit log: a preview, then all of it or nothing."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from api.errors import LAST_ADMIN
from api.exceptions import violated_by
from audit import actors
from audit.models import AuditEntry
from audit.undo import LeftOut
from audit.undo_reasons import object_of
from staff.bulk_changes import Refused
from staff.toolkit.links import address, counted
from staff.toolkit.refusals import WITHOUT_ADMIN, refusal_of
from staff.undo import Outcome, undo

VERBS = {"added": "Add", "changed": "Change", "deleted": "Delete"}
REVERSED = {"added": "is deleted", "changed": "becomes again", "deleted": "is added again"}


def undo_page(page: Any, request: HttpRequest, *, entry: Any, whole: bool = False) -> HttpResponse:
    """The preview; once it is applied, the undo. ``whole`` undoes the whole action that ``entry`` is part of."""
    if entry is None:
        raise Http404
    if not page.has_undo_permission(request):
        raise PermissionDenied
    page.prepare(request, [entry])
    title = _title(page, request, entry, whole=whole)
    saves = "apply" in request.POST
    outcome, reasons = None, []
    way_out = bool(request.POST.get(WITHOUT_ADMIN))
    try:
        outcome = undo(
            request.user,
            title,
            group_id=entry.group_id,
            entry_id=None if whole else entry.pk,
            saves=saves,
            without_admin=way_out,
        )
    except Refused as refusal:
        reasons = refusal.reasons
        way_out = violated_by(refusal.__cause__) == LAST_ADMIN
    except DatabaseError as error:
        reasons = [refusal_of(error)]
    if outcome and outcome.number and saves:
        page.message_user(request, f"Undone: {title}. Changes: {outcome.number:,}.", messages.SUCCESS)
        return HttpResponseRedirect(f"{address(AuditEntry, 'changelist')}?group={actors.current_group()}")
    context = {
        **page.admin_site.each_context(request),
        "title": f"Undo “{title}”",
        "opts": page.opts,
        "back": page.group_address(entry) if whole else address(entry, "change"),
        "reasons": reasons,
        "way_out": way_out,
        **(_preview(page, request, outcome) if outcome else {}),
    }
    return TemplateResponse(request, "staff/undo.html", context)


def _title(page: Any, request: HttpRequest, entry: Any, *, whole: bool) -> str:
    """The name of the action, or what it did, where it has none."""
    if whole and entry.group is not None:
        return str(entry.group)
    if whole and (others := page.get_queryset(request).filter(group_id=entry.group_id).count() - 1):
        return f"{VERBS[entry.action]} {object_of(entry)} and {others:,} more"
    return f"{VERBS[entry.action]} {object_of(entry)}"


def _preview(page: Any, request: HttpRequest, outcome: Outcome) -> dict[str, Any]:
    entries = list(page.get_queryset(request).filter(pk__in=outcome.shown).order_by("-pk"))
    page.prepare(request, entries)
    for entry in entries:
        entry.before, entry.after = entry.after, entry.before
    return {
        "is_previewed": True,
        "number": outcome.number,
        "number_shown": f"{outcome.number:,}",
        "not_shown": f"{outcome.number - len(entries):,}" if outcome.number > len(entries) else "",
        "rows": [
            {
                "object": object_of(entry),
                "text": REVERSED[entry.action],
                "differences": page.differences(entry) if entry.action == "changed" else "",
            }
            for entry in entries
        ],
        "left_out": [f"{_counted(left)}: {left.reason}." for left in outcome.left_out],
        "without_secrets": [f"{_counted(left)} without password or other secret." for left in outcome.without_secrets],
    }


def _counted(left: LeftOut) -> str:
    try:
        return counted(apps.get_model(left.model), left.number)
    except (LookupError, ValueError):
        return f"{left.number:,} of {left.model}"
