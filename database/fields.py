"""Fields and checks that the models of all apps share."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class TimeStamped(models.Model):
    """When a row was made and last changed. The database writes both, for raw SQL and COPY, too (see ``touch``)."""

    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


class OfParent(models.Model):
    """A row with a key of the row above it, which constraints compare: ``copied`` is that of the ``parent``."""

    parent: ClassVar[str]
    copied: ClassVar[str]

    class Meta:
        abstract = True

    def save(self, *args: object, **kwargs: object) -> None:
        self._copy()
        super().save(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came

    def clean_fields(self, exclude: Any = None) -> None:
        if getattr(self, f"{self.parent}_id") is not None:
            self._copy()
        super().clean_fields(exclude=exclude)

    def _copy(self) -> None:
        setattr(self, f"{self.copied}_id", getattr(getattr(self, self.parent), f"{self.copied}_id"))


class MetadataField(models.JSONField):
    """A JSON object with free keys; empty by default."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**cast(Any, {"default": dict, "db_default": {}, "blank": True} | kwargs))


def is_json_object(*fields: str) -> list[models.BaseConstraint]:
    """Checks, one for each of ``fields``, that its JSON is an object (never a list, a text or null)."""
    return [
        models.CheckConstraint(
            name=f"%(app_label)s_%(class)s_{field}_is_object",
            condition=models.Q(**{f"{field}__kind": "object"}),
            violation_error_message=f"{field} must be a JSON object.",
        )
        for field in fields
    ]


def is_list_of_texts(*fields: str) -> list[models.BaseConstraint]:
    """Checks, one for each of ``fields``, that its array holds texts alone: PostgreSQL lets nulls and arrays in."""
    return [
        models.CheckConstraint(
            name=f"%(app_label)s_%(class)s_{field}_are_texts",
            condition=models.Q(_IsListOfTexts(field)),
            violation_error_message=f"{field} must be texts.",
        )
        for field in fields
    ]


class _IsListOfTexts(models.Func):
    template = """NOT to_jsonb(%(expressions)s) @? 'strict $[*] ? (@.type() != "string")'"""
    output_field = models.BooleanField()


@models.JSONField.register_lookup
class JsonKind(models.Transform):
    """``field__kind``: the JSON type of the value as ``jsonb_typeof`` names it."""

    lookup_name = "kind"
    function = "jsonb_typeof"
    output_field = models.TextField()


class JsonObjectField(forms.JSONField):
    """A JSON object that PostgreSQL can store; empty input counts as an empty object."""

    default_error_messages = {
        "at_line": _("Enter a valid JSON. Line %(line)d: %(problem)s."),
        "no_object": _('This must be a JSON object, such as {"plan": "basic"}.'),
        "unstorable": _(
            "NaN, infinity, numbers too long, NUL characters and halves of surrogate pairs cannot be stored."
        ),
        "too_deep": _("This is nested too deeply."),
    }

    def bound_data(self, data: Any, initial: Any) -> Any:
        """The text as it was entered."""
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
