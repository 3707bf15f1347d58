"""The addresses of a front-end's pages: ``ui_settings`` with a working default for each.

With an empty address of the sign-in page the public client libraries navigate for ever, so no address is ever empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from django.core.exceptions import ValidationError

PAGES = {
    "sign_in_page_url": "/sign-in",
    "sign_up_page_url": "/sign-up",
    "after_signin_redirect_url": "/",
    "after_signup_redirect_url": "/",
    "after_sign_out_one_page_url": "/",
    "after_sign_out_all_page_url": "/",
    "after_logo_click_url": "/",
    "user_profile_url": "/profile",
    "organization_profile_url": "/organization",
    "create_organization_url": "/organization/new",
    "after_create_organization_redirect_url": "/",
    "accept_invitation_url": "/accept-invitation",
    "waitlist_page_url": "/sign-in",
    "support_page_url": "/",
}
"""Pages of the front-end, with their default paths below its first allowed origin."""
OPTIONAL_URLS = (
    *("privacy_policy_url", "tos_page_url", "logo_image_url", "favicon_image_url"),
    *("default_user_profile_image_url", "default_organization_profile_image_url"),
    *("default_workspace_profile_image_url",),
)
"""Addresses that a front-end can do without; "" unless staff enter them."""
TERMS = "signup_terms_statement"
NAMES = (*PAGES, *OPTIONAL_URLS, TERMS)
MAX_LENGTH = 1000
LOOPING = (
    "The page after signing in must be another than the page for signing in or up: browsers would go round for ever."
)
LOOPING_WAITLIST = (
    "The waitlist page must be another than the page for signing up, which sends people without an invitation there: "
    "browsers would go round for ever."
)

_URL = re.compile(r"https?://[^\s/?#\\]+([/?#][^\s\\]*)?", re.IGNORECASE)


class HasFrontEnd(Protocol):
    """A deployment, as far as this module knows it."""

    allowed_origins: Any
    ui_settings: Any

    @property
    def issuer(self) -> str: ...


def front_end(deployment: HasFrontEnd) -> str:
    """The origin of the deployment's first front-end that is a web page, else of the deployment itself."""
    origins: list[str] = deployment.allowed_origins
    return next((origin for origin in origins if origin.startswith(("http://", "https://"))), deployment.issuer)


def ui_settings(deployment: HasFrontEnd) -> dict[str, str]:
    """All NAMES with what staff have entered for them, or the default."""
    origin = front_end(deployment)
    defaults = {name: origin + path for name, path in PAGES.items()} | dict.fromkeys((*OPTIONAL_URLS, TERMS), "")
    own = deployment.ui_settings if isinstance(deployment.ui_settings, dict) else {}
    return defaults | {name: value for name, value in own.items() if name in defaults and value}


def validate_ui_settings(value: Mapping[str, Any]) -> None:
    """Raise ``ValidationError`` for names that there are not, and for what is no web address."""
    if unknown := sorted(set(value) - set(NAMES)):
        raise ValidationError(f"There is no setting {', '.join(unknown)}. There are {', '.join(NAMES)}.")
    for name, text in value.items():
        if not isinstance(text, str) or len(text) > MAX_LENGTH:
            raise ValidationError(f"{name} must be a text of at most {MAX_LENGTH} characters.")
        if text and name != TERMS and not _URL.fullmatch(text):
            raise ValidationError(f"{name} must be an address such as https://app.example.com/sign-in.")
