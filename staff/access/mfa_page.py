"""The page on which staff set up MFA: an authenticator (TOTP, RFC 6238) and backup codes."""

from __future__ import annotations

from time import time
from typing import Any

import pyotp
import segno
from django import forms
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django_otp import login, user_has_device
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from accounts.credentials import mfa
from accounts.credentials.step_up import RECENT
from accounts.values.names import normal_code
from staff.access.guard import guarded, require_admin_host
from staff.access.mfa import confirm, discard_unconfirmed, sign_out, take_code, unconfirmed
from staff.access.sign_in import CountedForm, with_retry_after

ISSUER = "Rollcall"
"""The name of the service in authenticator apps."""
_PROVEN_AT = "mfa_proven_at"


class ProofForm(CountedForm):
    """A session alone does not change MFA: a code of the current authenticator does, or without one the password."""

    proof = forms.CharField(max_length=256, strip=False)

    def __init__(self, request: HttpRequest, *args: Any) -> None:
        super().__init__(*args)
        self.request, self.has_device = request, user_has_device(request.user)
        field = self.fields["proof"]
        if self.has_device:
            field.label, field.help_text = "Current code", "From the authenticator that you use now, or a backup code."
            field.widget = UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code"})
        else:
            field.label = "Password"
            field.widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"})

    def clean_proof(self) -> str:
        proof: str = self.cleaned_data["proof"]
        user: Any = self.request.user
        with self.counting_failures(self.request, user.get_username()):
            if self.has_device and take_code(user, proof) is None:
                raise ValidationError("This code is wrong, or was used before.")
            if not self.has_device and not user.check_password(proof):
                raise ValidationError("The password is wrong.")
        return proof


class ConfirmationForm(forms.Form):
    code = forms.CharField(
        max_length=40,
        label="Code",
        help_text="The six digits that the new authenticator shows now.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


def start_proven(request: HttpRequest) -> None:
    """Let this session change MFA for a few minutes; the secret that it will show is a new one."""
    discard_unconfirmed(request.user)
    request.session[_PROVEN_AT] = time()


@never_cache
@csrf_protect
@sensitive_post_parameters("proof", "code")
def mfa_page(request: HttpRequest) -> HttpResponse:
    """Ask for a proof, show a new authenticator to enrol, and once it is confirmed, the backup codes."""
    require_admin_host(request)
    user: Any = request.user
    if not (user.is_active and user.is_staff) or (user_has_device(user) and not user.is_verified()):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    if request.session.get(_PROVEN_AT, 0) < time() - RECENT.total_seconds():
        return _ask_for_proof(request)
    device = unconfirmed(user)
    form = ConfirmationForm(request.POST or None)
    if form.is_valid():
        if mfa.take_totp(device, normal_code(form.cleaned_data["code"])):
            codes = confirm(device)
            login(request, device)
            del request.session[_PROVEN_AT]
            sign_out(user, but=request.session.session_key)
            return _page(request, codes=codes)
        form.add_error("code", "This is not the code that the authenticator shows now.")
    secret = mfa.secret_of(device)
    address = pyotp.TOTP(secret).provisioning_uri(name=user.get_username(), issuer_name=ISSUER)
    qr_code = segno.make(address).svg_data_uri(scale=4, border=2, light="white")
    return _page(request, form=form, secret=secret, qr_code=qr_code)


def moved_mfa_page(request: HttpRequest) -> HttpResponse:
    """Redirect from the former address of the page, which staff may have bookmarked."""
    require_admin_host(request)
    return guarded(redirect("staff-mfa", permanent=True))


def _ask_for_proof(request: HttpRequest) -> HttpResponse:
    form = ProofForm(request, request.POST or None)
    if form.is_valid():
        start_proven(request)
        return redirect("staff-mfa")
    return with_retry_after(_page(request, form=form), form)


def _page(request: HttpRequest, **context: Any) -> HttpResponse:
    context |= admin.site.each_context(request) | {
        "title": "Multi-factor authentication (MFA)",
        "has_device": user_has_device(request.user),
        "may_leave": admin.site.has_permission(request),
    }
    return guarded(TemplateResponse(request, "staff/mfa.html", context))
