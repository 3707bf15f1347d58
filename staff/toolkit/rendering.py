"""How pages and forms are written: as Django and unfold do, without doing anew all that is the same each time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User as Staff
from django.forms import renderers
from django.forms.utils import flatatt
from django.http import HttpRequest
from django.template import Library
from django.template.backends.django import DjangoTemplates
from django.templatetags.static import StaticNode
from django.utils.html import format_html
from unfold import fields as unfold_fields
from unfold import sites as unfold_sites
from unfold.forms import Fieldline

from config.environment import BASE_DIR

_Line: Any = Fieldline
_Value: Any = unfold_fields.UnfoldAdminReadonlyField
_fields_of, _contents_of = _Line.__iter__, _Value.contents


def _fields(line: Any) -> Iterator[Any]:
    """The fields of ``line``, through which templates go several times."""
    if not hasattr(line, "kept_fields"):
        line.kept_fields = list(_fields_of(line))
    return iter(line.kept_fields)


def _contents(field: Any) -> Any:
    """The content of ``field``, for which templates ask several times."""
    if not hasattr(field, "kept_contents"):
        field.kept_contents = _contents_of(field)
    return field.kept_contents


def install_caches() -> None:
    """Have Django and unfold keep values that they would compute dozens of times a page."""
    static: Any = StaticNode
    static.handle_simple = staticmethod(cache(StaticNode.handle_simple))
    fields: Any = unfold_fields
    sites: Any = unfold_sites
    sites.get_config = fields.get_config = cache(sites.get_config)
    _Line.__iter__ = _fields
    _Value.contents = _contents
    # unfold's templates look for these. A name that an object lacks costs Django a search through all its attributes.
    _Value.errors = lambda _: ""
    staff: Any = Staff
    staff.avatar_url = ""


_INPUTS = {f"django/forms/widgets/{kind}.html" for kind in ("checkbox", "email", "hidden", "number", "text", "url")}
"""Templates of Django's that are nothing but an input."""


register = Library()
register.filter("flat", flatatt)


class FormRenderer(renderers.DjangoTemplates):
    @cached_property
    def engine(self) -> DjangoTemplates:
        """With one template of our own: the attributes of a widget, which Django's writes with a loop for each."""
        folders = [BASE_DIR / "staff/form_templates", Path(renderers.__file__).parent / "templates"]
        options = {"builtins": [__name__]}
        return DjangoTemplates({"APP_DIRS": True, "DIRS": folders, "NAME": "djangoforms", "OPTIONS": options})

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
