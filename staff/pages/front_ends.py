"""The part of a deployment's page that is about its front-ends: an input for each of the ``ui_settings``."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.values import front_ends
from accounts.values.front_ends import MAX_LENGTH, NAMES, OPTIONAL_URLS, PAGES, TERMS
from staff.toolkit.forms import StaffForm


def _label(name: str) -> str:
    words = name.removesuffix("_url").replace("_", " ").replace("tos", "terms of service")
    return words.replace("signin", "sign-in").replace("signup", "sign-up").replace("sign in", "sign-in").capitalize()


def _field(name: str) -> forms.Field:
    if name == TERMS:
        widget: forms.Widget = UnfoldAdminTextareaWidget(attrs={"rows": 2})
        return forms.CharField(required=False, max_length=MAX_LENGTH, label=_label(name), widget=widget)
    path = PAGES.get(name)
    return forms.CharField(
        required=False,
        max_length=MAX_LENGTH,
        label=f"{_label(name)} URL",
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "url", "spellcheck": "false"}),
        help_text=f"If empty, {path} of the first allowed origin." if path else "",
    )


class _WithInputs(forms.models.ModelFormMetaclass):
    """Gives a form an input for each of NAMES."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        return super().__new__(mcs, name, bases, {setting: _field(setting) for setting in NAMES} | namespace, **options)


class DeploymentForm(StaffForm, metaclass=_WithInputs):
    """Writes its inputs into ``ui_settings``; those left empty keep their defaults."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in self.instance.ui_settings.items():
            if name in self.fields:
                self.fields[name].initial = value

    def clean(self) -> Any:
        cleaned = super().clean()
        entered = {name: self.cleaned_data.get(name, "") for name in NAMES if name in self.fields}
        for name, text in entered.items():
            try:
                front_ends.validate_ui_settings({name: text})
            except forms.ValidationError as error:
                self.add_error(name, error)
        if entered:
            self.instance.ui_settings = {name: text for name, text in entered.items() if text}
        return cleaned


FRONT_END: tuple[str, Any] = (
    "Front-end",
    {
        "classes": ["collapse"],
        "description": "The addresses to which client libraries send browsers.",
        "fields": [*PAGES, *OPTIONAL_URLS, TERMS],
    },
)
