"""Form fields for lists and metadata, which Django's own would check too little or make hard to type."""

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
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminTextareaWidget

from database.fields import JsonObjectField, MetadataField


class LinesField(forms.CharField):
    """A list of texts, one a line; empty lines do not count. Each is held to the model field ``item``."""

    def __init__(self, *, item: models.Field, **options: Any) -> None:
        self.item = item
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """The list; raises ``ValidationError`` with the number of each bad line."""
        lines: list[str] = []
        errors: list[ValidationError] = []
        for number, line in enumerate((super().to_python(value) or "").splitlines(), start=1):
            if not line.strip():
                continue
            try:
                lines.append(self.item.clean(line.strip(), None))
            except ValidationError as error:
                errors += [
                    # Validators of items double a percent sign, because ArrayField formats their messages twice.
                    ValidationError(
                        _("Line %(number)d: %(problem)s"),
                        params={"number": number, "problem": problem.replace("%%", "%")},
                    )
                    for problem in error.messages
                ]
        if errors:
            raise ValidationError(errors)
        return lines

    def run_validators(self, value: Any) -> None:
        """Run the validators of a text field, on all lines together."""
        super().run_validators("\n".join(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or []))
        except ValidationError:
            return True


class CheckedTextarea(UnfoldAdminTextareaWidget):
    """A text area for ``db_field`` whose content ``check_value`` checks while one types."""

    def __init__(self, db_field: models.Field, rows: int) -> None:
        check = reverse_lazy("admin:check_value", args=[db_field.model._meta.label_lower, db_field.name])
        super().__init__(
            attrs={"rows": rows, "class": "staff-checked-field", "spellcheck": "false", "data-check": check}
        )

    class Media:
        js = ("staff/check.js",)


def checked_field(db_field: models.Field) -> forms.Field | None:
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
    # Not by the model field's own method: ArrayField's makes a field of comma-separated values.
    return models.Field.formfield(db_field, form_class=form_class, show_hidden_initial=False, **options)


@require_POST
def check_value(request: HttpRequest, model: str, field: str) -> JsonResponse:
    """The errors of the ``value`` sent for ``field`` of ``model`` ("app.model"): ``{"errors": [text, ...]}``."""
    try:
        form_field = checked_field(cast(models.Field, apps.get_model(model)._meta.get_field(field)))
    except (LookupError, ValueError, FieldDoesNotExist):
        form_field = None
    if form_field is None:
        raise Http404
    try:
        form_field.clean(request.POST.get("value", ""))
    except ValidationError as error:
        return JsonResponse({"errors": error.messages})
    return JsonResponse({"errors": []})
