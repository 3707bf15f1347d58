"""The hosts of deployments, and the origins of their front-ends."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.values.browser_origins import as_browsers_write, is_origin

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST_PATTERN = rf"^(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*$|^(?=.*:.*:)[0-9a-f:]{{2,39}}$"


def validate_host(value: str) -> None:
    if not re.fullmatch(HOST_PATTERN, value):
        raise ValidationError(_("%(value)s is not a lower-case host name without port."), params={"value": value})


def host_is_normalised() -> models.CheckConstraint:
    return models.CheckConstraint(
        name="%(app_label)s_%(class)s_host_is_normalised",
        condition=models.Q(host__regex=HOST_PATTERN),
        violation_error_message="The host must be a lower-case host name without port.",
    )


def validate_origin(value: str) -> None:
    if is_origin(value):
        return
    if (meant := as_browsers_write(value)) is not None:
        raise ValidationError(
            _("%(value)s never matches, because browsers write it as %(meant)s."),
            params={"value": value.replace("%", "%%"), "meant": meant},
        )
    raise ValidationError(
        _("%(value)s is not an origin such as https://app.example.com."), params={"value": value.replace("%", "%%")}
    )
