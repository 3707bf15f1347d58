"""How staff sign in: a password, then a code of those who have a second factor; failures are counted as users' are."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django_otp import devices_for_user
from unfold.forms import AuthenticationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import throttling
from accounts.names import normal_code, trimmed
from accounts.throttling import Limit
from api.client_address import client_address_of
from api.errors import ApiError
from staff.access.second_factor import take_code


class StaffLoginForm(AuthenticationForm):
    """A wrong password and a wrong code read differently, and count alike."""

    code = forms.CharField(
        required=False,
        max_length=40,
        label="Code",
        help_text="From your authenticator, or a backup code, once you have set up a second factor.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "text"}),
    )

    retry_after: str | None = None
    """Seconds until sign-in may be tried again, if it failed too often."""

    def clean_username(self) -> str:
        return trimmed(self.cleaned_data["username"])

    def clean(self) -> dict[str, Any]:
        limits = throttling.staff_limits(
            account=self.cleaned_data.get("username") or "", address=client_address_of(cast(HttpRequest, self.request))
        )
        try:
            throttling.require_within(limits)
        except ApiError as error:
            self.retry_after = error.headers["Retry-After"]
            raise ValidationError(f"Too many failures. Try again in {self.retry_after} seconds.") from error
        try:
            cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        except ValidationError:
            throttling.count_failure(limits)
            raise
        self._check_code(limits)
        return cleaned

    def _check_code(self, limits: list[Limit]) -> None:
        """Raise ``ValidationError`` unless the code is one of the user's, or they have set nothing up yet."""
        user: Any = self.get_user()
        if user is None or not any(devices_for_user(user)):
            return
        code = normal_code(self.cleaned_data.get("code", ""))
        if not code:
            raise ValidationError("Enter the code of your authenticator, too, or a backup code.", code="code_required")
        user.otp_device = take_code(user, code)
        if user.otp_device is None:
            throttling.count_failure(limits)
            raise ValidationError("This code is wrong, or was used before.", code="wrong_code")
