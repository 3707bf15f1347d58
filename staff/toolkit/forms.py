"""The forms of pages for staff, and which field of a form serves which field of a model."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget

from staff.toolkit.choices import attend
from staff.toolkit.fields import checked_field


class StaffForm(forms.ModelForm):
    """Checks the row against every constraint, even over fields that the page does not show or let change."""

    refusal = ""
    """The database's error for this very form; see ``StaffAdmin.changeform_view``."""
    nested_formsets = ()  # unfold's templates look for it; see staff.toolkit.rendering
    note = ""
    """The sentence that ``prepare`` gave."""

    def clean(self) -> Any:
        if self.refusal:
            self.add_error(None, self.refusal)
        return super().clean()

    def validate_unique(self) -> None:
        super().validate_unique()
        # Django leaves out a constraint if the form lacks one of its fields, though the row has a value there.
        if not self.errors:
            try:
                self.validate_row()
            except ValidationError as error:
                self.add_error(None, error.messages)

    def validate_row(self) -> None:
        """Raise ``ValidationError`` if the row breaks a constraint."""
        self.instance.validate_constraints()

    def prepare(self) -> str:
        """Write rows that the row needs before it is saved; gives a sentence about them, if any."""
        return ""

    def save(self, commit: bool = True) -> Any:
        if commit:
            self.note = self.prepare()
        return super().save(commit)


class StaffFields:
    """Form fields for lists and metadata, of pages and inlines alike."""

    formfield_overrides: Any = {
        models.TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})},
        models.URLField: {"assume_scheme": "https"},
    }

    def formfield_for_dbfield(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = checked_field(db_field)
        if field is None:
            field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]  # the admin class beside it has it
        if isinstance(getattr(field, "widget", None), RelatedFieldWidgetWrapper):
            attend(db_field, field.widget)
            field.widget.can_delete_related = False  # a cross beside a choice looks like clearing it
        return field
