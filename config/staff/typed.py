"""What staff type: lists, one a line, and metadata. Checked by one field, when it is sent and while it is typed."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from django import forms
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import reverse_lazy
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminTextareaWidget

from config.staff.fields import LinesField
from database.fields import JsonObjectField, MetadataField


class CheckedTextarea(UnfoldAdminTextareaWidget):
    """A text area for ``db_field`` whose content ``check_typed`` checks while one types."""

    def __init__(self, db_field: models.Field, rows: int) -> None:
        check = reverse_lazy("admin:check_typed", args=[db_field.model._meta.label_lower, db_field.name])
        super().__init__(attrs={"rows": rows, "class": "staff-typed", "spellcheck": "false", "data-check": check})

    class Media:
        js = ("staff/check.js",)


def typed_field(db_field: models.Field) -> forms.Field | None:
    """The form field of a list or of metadata; None for any other model field."""
    if isinstance(db_field, MetadataField):
        form_class: Any = JsonObjectField
        options: dict[str, Any] = {"widget": CheckedTextarea(db_field, rows=6)}
    elif isinstance(db_field, ArrayField):
        form_class = partial(LinesField, item=db_field.base_field)
        help_text = f"One a line. {db_field.help_text}".strip()
        options = {"widget": CheckedTextarea(db_field, rows=4), "help_text": help_text}
    else:
        return None
    # Not by the model field's own method: that of ArrayField is for fields of comma-separated values.
    return models.Field.formfield(db_field, form_class=form_class, show_hidden_initial=False, **options)


@require_POST
def check_typed(request: HttpRequest, model: str, field: str) -> JsonResponse:
    """What is wrong with the ``value`` sent for ``field`` of ``model`` ("app.model"): ``{"errors": [text, ...]}``."""
    try:
        form_field = typed_field(cast(models.Field, apps.get_model(model)._meta.get_field(field)))
    except (LookupError, ValueError, FieldDoesNotExist):
        form_field = None
    if form_field is None:
        raise Http404
    try:
        form_field.clean(request.POST.get("value", ""))
    except ValidationError as error:
        return JsonResponse({"errors": error.messages})
    return JsonResponse({"errors": []})
