"""Import and export of memberships in the admin. An import's answer is streamed: its progress, then its report.

So no time limit of a proxy or worker strikes, since these count silence; and leaving early saves nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, BinaryIO

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldBooleanWidget

from accounts.models import Deployment
from audit import actors
from memberships.import_export.exporting import export
from memberships.import_export.importing import Progress, Report, run_import
from memberships.import_export.rejecting import rejected_lines
from memberships.import_export.sample import sample
from staff.access.permissions import visible_to
from staff.toolkit.changes import undo_link

MAX_BYTES = 50 * 1024 * 1024
"""Bytes of an upload. The command takes files of any length."""
MAX_CHOICES = 500
"""The number of deployments that the form offers; a file can name any, by its host."""
SHOWN = 100
"""Problems that the page shows; all are in the file of rejected lines."""
END = "\n<!-- step -->\n"
"""The end of a step of the stream."""
TO_IMPORT = tuple(
    f"memberships.{action}_{kind}membership{more}"
    for kind in ("organization", "workspace")
    for action, more in (("add", ""), ("change", ""), ("add", "role"), ("delete", "role"))
)


class ImportForm(forms.Form):
    """A file, and the deployment for lines that name none."""

    file = forms.FileField(label="CSV file", widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.txt,text/csv"}))
    deployment = forms.ModelChoiceField(
        Deployment.objects.none(),
        required=False,
        label="Deployment of rows that name none",
        empty_label="The only one, or none",
        widget=UnfoldAdminSelectWidget,
    )
    without_admin = forms.BooleanField(
        required=False,
        label="Organizations may lose their last administrators",
        widget=UnfoldBooleanWidget,
    )

    def __init__(self, deployments: QuerySet[Deployment], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: Any = self.fields["deployment"]
        choices.queryset = deployments.order_by("name")
        choices.choices = [("", choices.empty_label), *((row.pk, str(row)) for row in choices.queryset[:MAX_CHOICES])]

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError("The file is larger than 50 MB: import it by manage.py import_memberships.")
        return file


def may_import(request: HttpRequest) -> bool:
    return bool(request.user.has_perms(TO_IMPORT))


def import_page(page: admin.ModelAdmin, request: HttpRequest) -> HttpResponseBase:
    """The form; once it is sent, the stream of progress and the report, for the script without the page around them."""
    if not may_import(request):
        raise PermissionDenied
    deployments = visible_to(request.user, Deployment.objects.all())
    form = ImportForm(deployments, request.POST or None, request.FILES or None)
    context = {
        **page.admin_site.each_context(request),
        "title": "Import memberships",
        "opts": page.opts,
        "form": form,
        "sample": _data_address(sample()),
        "media": page.media + form.media,
        "max_bytes": MAX_BYTES,
    }
    if request.method != "POST" or not form.is_valid():
        status = 200 if request.method != "POST" else 422
        return TemplateResponse(request, "staff/import.html", context, status=status)
    upload, default = form.cleaned_data["file"], form.cleaned_data["deployment"]
    options = {
        "dry_run": "check" in request.POST,
        "without_admin": form.cleaned_data["without_admin"],
        "name": upload.name,
    }
    steps = _steps(request, upload.file, deployments=deployments, default=default, **options)
    if not request.headers.get("X-Steps-Only"):
        before, after = render_to_string("staff/import.html", context | {"streams": True}, request).split(END)
        steps = _around(before, steps, after)
    response = StreamingHttpResponse(steps, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would keep the progress until the end
    return response


def _around(before: str, steps: Iterator[str], after: str) -> Iterator[str]:
    yield before
    yield from steps
    yield after


def _steps(request: HttpRequest, file: BinaryIO, **options: Any) -> Iterator[str]:
    with actors.acting(actors.sender_of(request)):  # the middleware that says so is long through
        for step in run_import(file, **options):
            if isinstance(step, Progress):
                yield render_to_string("staff/import_progress.html", {"progress": step}) + END
            else:
                yield render_to_string("staff/import_report.html", _told(request, file, step, **options)) + END


def _told(request: HttpRequest, file: BinaryIO, report: Report, *, dry_run: bool, **_: Any) -> dict[str, Any]:
    rejected = b"".join(rejected_lines(file, report.errors)) if report.lines else b""
    return {
        "report": report,
        "undo": undo_link(request) if report.saved else "",
        "dry_run": dry_run,
        "errors": report.errors[:SHOWN],
        "more": max(0, len(report.errors) - SHOWN),
        "rejected": _data_address(rejected) if rejected else "",
    }


def _data_address(file: bytes) -> str:
    """The address at which a page has the CSV ``file`` in itself, to be downloaded."""
    return f"data:text/csv;charset=utf-8;base64,{base64.b64encode(file).decode()}"


def export_page(memberships: QuerySet[Any]) -> HttpResponse | StreamingHttpResponse:
    """``memberships`` as a file to save."""
    response = StreamingHttpResponse(export(memberships), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{memberships.model._meta.model_name}s.csv"'
    response.headers["Cache-Control"] = "no-store"
    return response
