"""Django's middleware for sessions of staff; requests to the API skip it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django_otp.middleware import OTPMiddleware


def is_for_staff(request: HttpRequest) -> bool:
    return request.path_info.startswith("/admin/")


class _ForStaff:
    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        return super().__call__(request) if is_for_staff(request) else self.get_response(request)  # type: ignore[misc]  # the middleware beside it has it


class StaffSessionMiddleware(_ForStaff, SessionMiddleware):
    """Sets ``request.session``."""


class StaffAuthenticationMiddleware(_ForStaff, AuthenticationMiddleware):
    """Sets ``request.user``."""


class StaffMfaMiddleware(_ForStaff, OTPMiddleware):
    """Adds to ``request.user`` whether they have passed MFA."""


class StaffMessageMiddleware(_ForStaff, MessageMiddleware):
    """Sets the store of ``messages``."""
