"""The page on which staff set up their second factor: an authenticator (TOTP, RFC 6238) and backup codes."""

from __future__ import annotations

from typing import Any

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
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django_otp import login, user_has_device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.widgets import UnfoldAdminTextInputWidget

from config.staff.site import guarded, require_admin_host

BACKUP_CODES = 10


class ConfirmationForm(forms.Form):
    code = forms.CharField(
        max_length=10,
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
        if device.verify_token("".join(form.cleaned_data["code"].split())):
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
        context |= {
            "replaces": user_has_device(user),
            "may_leave": admin.site.has_permission(request),
            "secret": device.config_url.partition("secret=")[2].partition("&")[0],
            "qr_code": segno.make(device.config_url).svg_data_uri(scale=4, border=2, light="white"),
        }
    response = TemplateResponse(request, "staff/second_factor.html", context)
    return guarded(response)


def _waiting(user: Staff) -> TOTPDevice:
    """The authenticator that ``user`` has still to confirm; the same one until they do."""
    device, _ = TOTPDevice.objects.get_or_create(user=user, confirmed=False, defaults={"name": "authenticator"})
    return device


@transaction.atomic
def _confirm(device: TOTPDevice) -> list[str]:
    """Let ``device`` take the place of whatever the user had; gives their new backup codes, in clear for this once."""
    TOTPDevice.objects.filter(user=device.user).exclude(pk=device.pk).delete()
    StaticDevice.objects.filter(user=device.user).delete()
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    backup = StaticDevice.objects.create(user=device.user, name="backup codes")
    codes = [StaticToken.random_token() for _ in range(BACKUP_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=backup, token=code) for code in codes)
    return codes


@transaction.atomic
def forget(user: Staff, *, but: str | None = None) -> None:
    """Delete the second factor of ``user``, whatever it is, and end their sessions but the one with the key ``but``."""
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()
    _sign_out(user, but=but)


def _sign_out(user: Staff, *, but: str | None = None) -> None:
    """End the sessions of ``user``, but the one with the key ``but``.

    All sessions of staff are read for it: they are few, and only their content says whose they are.
    """
    for session in Session.objects.exclude(session_key=but or "").filter(expire_date__gt=timezone.now()):
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
