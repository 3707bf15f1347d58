"""The page on which staff set up their second factor: an authenticator (TOTP, RFC 6238) and backup codes."""

from __future__ import annotations

import secrets
from typing import Any

import pyotp
import segno
from django import forms
from django.contrib import admin
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User as Staff
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django_otp import login, user_has_device
from django_otp.models import Device
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import second_factors
from accounts.names import normal_code
from staff.access.guard import guarded, require_admin_host
from staff.models import StaffAuthenticator, StaffBackupCodes

BACKUP_CODES = 10
ISSUER = "Rollcall"
"""What authenticator apps call the service."""


class ConfirmationForm(forms.Form):
    code = forms.CharField(
        max_length=40,
        label="Code",
        help_text="The six digits that the authenticator shows now.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


@never_cache
@csrf_protect
def second_factor(request: HttpRequest) -> HttpResponse:
    """Show a new authenticator to enrol, and once it is confirmed, the backup codes.

    Who has a second factor already must have signed in with it to replace it.
    """
    require_admin_host(request)
    user: Any = request.user
    if not (user.is_active and user.is_staff) or (user_has_device(user) and not user.is_verified()):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    device = _waiting(user)
    form = ConfirmationForm(request.POST or None)
    codes: list[str] = []
    if form.is_valid():
        if second_factors.take_totp(device, normal_code(form.cleaned_data["code"])):
            codes = _confirm(device)
            login(request, device)
            _sign_out(user, but=request.session.session_key)
        else:
            form.add_error("code", "This is not the code that the authenticator should show now.")
    context: dict[str, Any] = admin.site.each_context(request) | {
        "title": "Second factor",
        "form": form,
        "codes": codes,
    }
    if not codes:
        secret = second_factors.secret_of(device)
        address = pyotp.TOTP(secret).provisioning_uri(name=user.get_username(), issuer_name=ISSUER)
        context |= {
            "replaces": user_has_device(user),
            "may_leave": admin.site.has_permission(request),
            "secret": secret,
            "qr_code": segno.make(address).svg_data_uri(scale=4, border=2, light="white"),
        }
    response = TemplateResponse(request, "staff/second_factor.html", context)
    return guarded(response)


def _waiting(user: Staff) -> StaffAuthenticator:
    """The authenticator that ``user`` has still to confirm; the same one until they do."""
    waiting = StaffAuthenticator.objects.filter(user=user, confirmed=False).first()
    if waiting is None:
        waiting = StaffAuthenticator(user=user, confirmed=False, name="authenticator")
        waiting.set_secret(pyotp.random_base32())
        waiting.save()
    return waiting


@transaction.atomic
def _confirm(device: StaffAuthenticator) -> list[str]:
    """Let ``device`` take the place of whatever the user had; gives their new backup codes, in clear for this once."""
    StaffAuthenticator.objects.filter(user=device.user).exclude(pk=device.pk).delete()
    StaffBackupCodes.objects.filter(user=device.user).delete()
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    codes = [secrets.token_hex(6) for _ in range(BACKUP_CODES)]
    hashes = [_hash(device.user, code) for code in codes]
    StaffBackupCodes.objects.create(user=device.user, name="backup codes", code_hashes=hashes)
    return codes


@transaction.atomic
def take_code(user: Staff, code: str) -> Device | None:
    """The second factor of ``user`` that ``code`` is of; with that the code is spent."""
    code = normal_code(code)
    for authenticator in StaffAuthenticator.objects.filter(user=user, confirmed=True):
        if second_factors.take_totp(authenticator, code):
            return authenticator
    code_hash = _hash(user, code)
    rows = StaffBackupCodes.objects.select_for_update().filter(user=user, code_hashes__contains=[code_hash])
    for codes in rows:
        codes.code_hashes.remove(code_hash)
        codes.save(update_fields=["code_hashes"])
        return codes
    return None


def _hash(user: Staff, code: str) -> str:
    """A keyed hash. A slow one would add nothing: a code has 48 random bits and can be tried a few times only."""
    return salted_hmac("accounts.staff.backup-code", f"{user.pk}:{code.lower()}", algorithm="sha256").hexdigest()


@transaction.atomic
def forget(user: Staff, *, but: str | None = None) -> None:
    """Delete the second factor of ``user``, whatever it is, and end their sessions but the one with the key ``but``."""
    StaffAuthenticator.objects.filter(user=user).delete()
    StaffBackupCodes.objects.filter(user=user).delete()
    _sign_out(user, but=but)


def _sign_out(user: Staff, *, but: str | None = None) -> None:
    """End the sessions of ``user``, but the one with the key ``but``.

    All sessions of staff are read for it: they are few, and only their content says whose they are.
    """
    for session in Session.objects.exclude(session_key=but or "").filter(expire_date__gt=timezone.now()):
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
