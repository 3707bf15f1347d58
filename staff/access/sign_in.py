"""The sign-in of staff: a password, then a code if they have MFA; failures are limited as they are for users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import ceil
from typing import Any, TypeVar, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django_otp import devices_for_user
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.credentials import throttling
from accounts.values.names import normal_code, trimmed
from api.client_address import client_address_of
from api.errors import ApiError
from staff.access.mfa import take_code

Response = TypeVar("Response", bound=HttpResponse)


class CountedForm(forms.Form):
    """A form whose failures are limited per account and per address."""

    retry_after: str | None = None
    """Seconds until the next attempt, after too many failures."""

    @contextmanager
    def counting_failures(self, request: HttpRequest, account: str) -> Iterator[None]:
        """Count a ``ValidationError`` of the block as a failure; raise one if there have been too many."""
        limits = throttling.staff_limits(account=account, address=client_address_of(request))
        with ExitStack() as stack:
            try:
                stack.enter_context(throttling.attempt(limits))
            except ApiError as error:
                self.retry_after = error.headers["Retry-After"]
                minutes = ceil(int(self.retry_after) / 60)
                raise ValidationError(
                    f"Too many failures. Try again in {minutes} minute{'' if minutes == 1 else 's'}."
                ) from error
            yield


def with_retry_after(response: Response, form: Any) -> Response:
    """``response`` as a 429 if ``form`` met a limit."""
    if retry_after := getattr(form, "retry_after", None):
        response.status_code, response.headers["Retry-After"] = 429, retry_after
    return response


class StaffLoginForm(CountedForm, AuthenticationForm):
    """A wrong password and a wrong code read differently, and count alike."""

    code = forms.CharField(
        required=False,
        max_length=40,
        label="Code",
        help_text="If you have set up MFA: from your authenticator, or a backup code.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "text"}),
    )

    def clean_username(self) -> str:
        return trimmed(self.cleaned_data["username"])

    def clean(self) -> dict[str, Any]:
        request = cast(HttpRequest, self.request)
        with self.counting_failures(request, self.cleaned_data.get("username") or ""):
            cleaned: dict[str, Any] = super().clean() or self.cleaned_data
            user: Any = self.get_user()
            has_mfa = user is not None and any(devices_for_user(user))
            code = normal_code(cleaned.get("code", ""))
            if has_mfa and code:
                user.otp_device = take_code(user, code)
                if user.otp_device is None:
                    raise ValidationError("This code is wrong, or was used before.", code="wrong_code")
        if has_mfa and not code:
            raise ValidationError("Enter a code of your authenticator, or a backup code.", code="code_required")
        return cleaned
