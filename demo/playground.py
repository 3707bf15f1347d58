"""The playground at ``/``: a front-end to look at, in demo mode only. It uses the public API, and shows
the mails of the demo besides (``demo.mails``)."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from api.exceptions import reads_only
from demo.data import TOTP_SECRET

DEMO_USERS = [
    ("ada", "seven workspaces, some of them restricted"),
    ("chioma", "one workspace"),
    ("bo", "none"),
    ("dmitri", "sixty"),
    ("elodie", "an administrator, never restricted"),
    ("fumiko", "has an authenticator"),
]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@reads_only
def playground(request: HttpRequest) -> HttpResponse:
    """The page; 404 unless DEMO is set, for it shows the password of the demo users."""
    if not settings.DEMO:
        raise Http404
    response = render(
        request,
        "playground.html",
        {"users": DEMO_USERS, "password": settings.DEMO_PASSWORD, "totp_secret": TOTP_SECRET},
    )
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Cache-Control"] = "no-store"
    return response
