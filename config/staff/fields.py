"""Form fields for what Django's own would let pass or make hard to type: lists and metadata."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


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
        """Those of a text: here they see the whole of it."""
        super().run_validators("\n".join(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or []))
        except ValidationError:
            return True
