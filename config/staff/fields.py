"""Form fields for what Django's own would let pass or make hard to type: lists and metadata."""

from __future__ import annotations

import json
import re
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


class JsonObjectField(forms.JSONField):
    """A JSON object that PostgreSQL can store; nothing at all counts as an empty one."""

    default_error_messages = {
        "at_line": _("Enter a valid JSON. Line %(line)d: %(problem)s."),
        "no_object": _('This must be a JSON object, such as {"plan": "basic"}.'),
        "unstorable": _(
            "NaN, infinity, numbers too long, NUL characters and halves of surrogate pairs cannot be stored."
        ),
        "too_deep": _("This is nested too deeply."),
    }

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was typed, as it was typed."""
        return data

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, ensure_ascii=False, indent=2) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            return {}
        try:
            parsed = super().to_python(value)
            storable = _is_storable(parsed)
        except ValidationError as error:
            if isinstance(error.__context__, json.JSONDecodeError):
                raise self._refusal("at_line", line=error.__context__.lineno, problem=error.__context__.msg) from error
            raise
        except RecursionError as error:
            raise self._refusal("too_deep") from error
        except ValueError as error:
            raise self._refusal("unstorable") from error
        if not isinstance(parsed, dict):
            raise self._refusal("no_object")
        if not storable:
            raise self._refusal("unstorable")
        return parsed

    def _refusal(self, code: str, **params: Any) -> ValidationError:
        return ValidationError(self.error_messages[code], code=code, params=params)


_ESCAPED_NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")


def _is_storable(value: Any) -> bool:
    """Whether jsonb takes ``value``. Python also reads NUL, lone surrogates, NaN and infinity, which it refuses."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:
        return False
    return _ESCAPED_NUL.search(text) is None
