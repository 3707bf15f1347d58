"""Allow-lists: the storage and checks of the addresses and networks that may enter."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Func, Q
from django.utils.translation import gettext_lazy as _

from api.networks import parse_network


def validate_network(value: str) -> None:
    """Refuse an entry that ``parse_network`` cannot read, and name it."""
    try:
        parse_network(value)
    except ValueError as error:
        raise ValidationError(
            _("“%(value)s” is not an IPv4 or IPv6 address or CIDR network."),
            params={"value": value.replace("%", "%%")},  # ArrayField formats its items' messages a second time
        ) from error


class AllowListField(ArrayField):
    """A list of addresses and CIDR networks, as text, in the order and the spelling that staff gave."""

    def __init__(self, **kwargs: Any) -> None:
        base = models.CharField(max_length=64, validators=[validate_network])
        super().__init__(**cast(Any, {"base_field": base, "default": list, "db_default": [], "blank": True} | kwargs))


_OCTET = "(0|[1-9][0-9]{0,2})"
_IPV4 = f"{_OCTET}([.]{_OCTET}){{3}}"
_ENTRY = f"({_IPV4}|[0-9A-Fa-f:]*(::|:[0-9A-Fa-f]+|:{_IPV4}))(/{_OCTET})?"


class _IsAllowList(Func):
    """True if every entry is an address, or a network without bits beyond its prefix; false, or raising, otherwise.

    inet and cidr alone would do but for the shorthands that they take and ``parse_network`` does not: "10/8",
    "010.0.0.1", "::1.2.3", "1::2:/128". The pattern refuses those; the casts check the rest.
    """

    template = (
        "(array_position(%(expressions)s, NULL) IS NULL"
        f" AND ' ' || array_to_string(%(expressions)s, ' ') ~ '^( {_ENTRY})* ?$'"
        " AND %(expressions)s::inet[] IS NOT NULL AND %(expressions)s::cidr[] IS NOT NULL)"
    )
    output_field = models.BooleanField()

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        """A form checks a value instead of the column, and the template names it several times."""
        sql, params = super().as_sql(*args, **kwargs)
        return sql, tuple(params) * self.template.count("%(expressions)s")


def allow_list_is_valid() -> models.CheckConstraint:
    """The check that raw SQL and imports are held to; forms use ``validate_network``, which names the bad entry."""
    return models.CheckConstraint(
        name="%(app_label)s_%(class)s_whitelisted_ips_are_networks", condition=Q(_IsAllowList("whitelisted_ips"))
    )
