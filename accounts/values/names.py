"""Names and codes as people type them, brought to the one form in which they are stored and compared.

A user's e-mail address and username are stored in Unicode's form NFC, without the white space and invisible characters
around them, and with the domain of an address in lower case and in Unicode (U-labels, RFC 5890): ``münchen.example``,
not ``xn--mnchen-3ya.example``. Case counts not when names are compared. A password is never touched.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import idna
from django import forms
from django.core.exceptions import ValidationError
from django.db import models

INVISIBLE = r"[\u0001-\u0020\u007F-\u00A0\u00AD\u061C\u1680\u180E\u2000-\u200F\u2028-\u202F\u205F-\u206F\u3000\uFEFF]"
"""White space, control and format characters, as PostgreSQL's and Python's regular expressions both write them."""
ABNORMAL = rf"^{INVISIBLE}|{INVISIBLE}$|.@([^@]*[A-Z\u3002\uFF01-\uFF61]|([^@]*\.)?xn--)[^@]*$"
"""A pattern of parts that no normal name has. Of domains PostgreSQL can check only that they look normal."""
ABNORMAL_DOMAIN = rf"[A-Z@\u3002\uFF01-\uFF61]|{INVISIBLE}|(^|\.)(xn--|\.|$)"
"""A pattern of parts that no normal domain has."""
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,233}}\Z)({_LABEL}\.)+(?![0-9]+\Z){_LABEL}", re.ASCII)
"""A domain below which a label fits: in ASCII, of two labels or more, and no IPv4 address."""
_AROUND = re.compile(rf"^{INVISIBLE}+|{INVISIBLE}+\Z")
_ACE_LABEL = re.compile(r"\bxn--[a-z0-9-]+", re.ASCII | re.IGNORECASE)


def normal_name(text: str) -> str:
    """The stored form of ``text``, an e-mail address or a username. What looks like an address is taken for one."""
    name = trimmed(text)
    local, _, domain = name.rpartition("@")
    return f"{local}@{normal_domain(domain)}" if local and domain else name


def trimmed(text: str) -> str:
    """``text`` without the white space and invisible characters around it, in NFC."""
    return _AROUND.sub("", unicodedata.normalize("NFC", text))


def searched(text: str) -> str:
    """``text``, which may be a part of a name, in the form in which the words of stored names begin."""
    decoded = _ACE_LABEL.sub(lambda label: normal_domain(label[0]), text)
    return " ".join(map(normal_name, decoded.split()))


def normal_code(text: str) -> str:
    """A code in ASCII digits, without the spaces, hyphens and invisible characters that people and programs add."""
    characters = unicodedata.normalize("NFKC", text).lower()
    return "".join(_digit(character) for character in characters if not _only_separates(character))


def typed_domain(text: str) -> str:
    """The stored form of a domain as people type it, with a final dot or without."""
    return normal_domain(trimmed(text)).removesuffix(".")


def normal_domain(domain: str) -> str:
    """The domain as UTS #46 maps it for look-up, each label in Unicode; other text only in lower case."""
    try:
        mapped = idna.uts46_remap(domain, std3_rules=False)
    except idna.IDNAError:
        mapped = unicodedata.normalize("NFC", domain.lower())
    return ".".join(map(_u_label, mapped.split(".")))


def ascii_domain(domain: str) -> str:
    """``domain`` as the DNS knows it, in A-labels (RFC 5890); "" if it cannot be written so."""
    try:
        return ".".join(map(_a_label, domain.split(".")))
    except UnicodeError:  # which an IDNAError is too
        return ""


def validate_domain(value: str) -> None:
    """Refuse a text that is no normal form of a domain such as example.com."""
    ascii_form = ascii_domain(value)
    if not _DOMAIN.fullmatch(ascii_form) or value != normal_domain(ascii_form) or re.search(ABNORMAL_DOMAIN, value):
        raise ValidationError("It must be a domain such as example.com.")


def _a_label(label: str) -> str:
    try:
        return idna.alabel(label).decode()
    except idna.IDNAError:  # see _u_label
        return label.encode("idna").decode()


def _u_label(label: str) -> str:
    try:
        return idna.ulabel(label)
    except idna.IDNAError:  # such as a label with a heart in it: IDNA of 2003 had those, and they are in use
        pass
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        return label


def _only_separates(character: str) -> bool:
    return unicodedata.category(character) in ("Zs", "Zl", "Zp", "Cc", "Cf", "Pd")


def _digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


class IsNfc(models.Func):
    template = "%(expressions)s IS NFC NORMALIZED"
    output_field = models.BooleanField()


def is_normal(*fields: str) -> list[models.BaseConstraint]:
    """Checks, one for each of ``fields``, that it holds a normal name: raw SQL is held to that as well."""
    return [
        models.CheckConstraint(
            name=f"%(app_label)s_%(class)s_{field}_is_normal",
            condition=models.Q(IsNfc(field)) & ~models.Q(**{f"{field}__regex": ABNORMAL}),
            violation_error_message=f"This is no {field} that can be stored: check the part after the @.",
        )
        for field in fields
    ]


class _NormalFormField(forms.CharField):
    def to_python(self, value: Any) -> str:
        return normal_name(super().to_python(value) or "")


class _DomainFormField(forms.CharField):
    def to_python(self, value: Any) -> str:
        return typed_domain(super().to_python(value) or "")


class _NormalEmailFormField(forms.EmailField):
    def to_python(self, value: Any) -> str:
        return normal_name(super().to_python(value) or "")


class NameField(models.CharField):
    """A text field whose values are brought to the normal form, when saved and when looked up."""

    form_class: Any = _NormalFormField

    def normal(self, value: str) -> str:
        return normal_name(value)

    def _normal(self, value: Any) -> Any:
        return self.normal(value) if isinstance(value, str) else value

    def to_python(self, value: Any) -> Any:
        return self._normal(super().to_python(value))

    def get_prep_value(self, value: Any) -> Any:
        return self._normal(super().get_prep_value(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = self._normal(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": self.form_class, **kwargs})


class AddressField(NameField, models.EmailField):
    """A ``NameField`` for e-mail addresses."""

    form_class = _NormalEmailFormField


class DomainField(NameField):
    """A ``NameField`` for the domains of e-mail addresses."""

    form_class = _DomainFormField
    default_validators = [validate_domain]

    def normal(self, value: str) -> str:
        return typed_domain(value)


class DomainOf(models.Func):
    """The domain of an e-mail address."""

    template = "substring(%(expressions)s from '[^@]*$')"
    output_field = models.CharField()
