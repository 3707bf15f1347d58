"""How forms are written: like Django's, but the parts that every field has without templates, which take long."""

from __future__ import annotations

from typing import Any

from django.forms import renderers
from django.forms.utils import flatatt
from django.http import HttpRequest
from django.utils.html import format_html

_INPUTS = {f"django/forms/widgets/{kind}.html" for kind in ("checkbox", "email", "hidden", "number", "text", "url")}
"""Templates of Django's that are nothing but an input."""


class FormRenderer(renderers.DjangoTemplates):
    def render(self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None) -> str:
        if template_name in _INPUTS:
            return _input(**context["widget"])
        if template_name == "django/forms/label.html" and context["use_tag"]:
            tag = context["tag"]
            return format_html("<{}{}>{}</{}>", tag, flatatt(context["attrs"] or {}), context["label"], tag)
        if template_name == "django/forms/errors/list/ul.html" and not context["errors"]:
            return ""
        return super().render(template_name, context, request)


def _input(*, type: str, name: str, value: Any, attrs: dict[str, Any], **_: Any) -> str:  # noqa: A002  Django's name
    own = {} if value is None else {"value": str(value)}
    return format_html('<input type="{}" name="{}"{}{}>', type, name, flatatt(own), flatatt(attrs))
