"""Allow-lists: how the addresses and networks that may enter are stored, and what is refused."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Func, Q
from django.utils.translation import gettext_lazy as _

from config.networks import parse_network


def validate_network(value: str) -> None:
    """Refuse, naming it, what ``parse_network`` cannot read."""
    try:
        parse_network(value)
    except ValueError as error:
        raise ValidationError(
            _("“%(value)s” is not an IPv4 or IPv6 address or CIDR network."), params={"value": value}
        ) from error


class AllowListField(ArrayField):
    """A list of addresses and CIDR networks, as text, in the order and the spelling that staff gave."""

    def __init__(self, **kwargs: Any) -> None:
        base = models.CharField(max_length=64, validators=[validate_network])
        super().__init__(**cast(Any, {"base_field": base, "default": list, "db_default": [], "blank": True} | kwargs))


class _IsAllowList(Func):
    """True if PostgreSQL reads every entry as an address and as a network without bits beyond its prefix.

    Anything else raises, so the row is refused. inet refuses abbreviations ("10.1"), cidr refuses set host bits.
    """

    template = (
        "(array_position(%(expressions)s, NULL) IS NULL"
        " AND %(expressions)s::inet[] IS NOT NULL AND %(expressions)s::cidr[] IS NOT NULL)"
    )
    output_field = models.BooleanField()


def allow_list_is_valid() -> models.CheckConstraint:
    """The check that raw SQL and imports are held to; forms use ``validate_network``, which names the bad entry."""
    return models.CheckConstraint(
        name="%(app_label)s_%(class)s_whitelisted_ips_are_networks", condition=Q(_IsAllowList("whitelisted_ips"))
    )
