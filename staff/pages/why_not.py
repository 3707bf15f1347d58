"""“Why can't they enter?”: which workspaces a user may enter with an address and a session, why not, and the cure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.models import SignIn, User
from api.networks import Address, parse_address
from audit import groups
from memberships.eligibility import Outcome
from memberships.explaining import Decision, Explanation, Finding, explain
from organizations.models import Organization, Workspace
from staff.access.permissions import PRIVATE_METADATA, visible_to
from staff.numbers import number_of

SIGN_INS = 20
"""The number of a user's newest sign-ins that the form offers."""
SHOWN = 100
"""Workspaces of the table, those first that the user may not enter; the others are counted."""
AS_FILE = "file"
"""The parameter with which the page is the whole response instead."""


class AddressField(forms.CharField):
    """An IPv4 or IPv6 address; None if it is left empty."""

    def to_python(self, value: Any) -> Address | None:  # type: ignore[override]  # an address, where CharField gives text
        text = super().to_python(value)
        try:
            return parse_address(text) if text else None
        except ValueError as error:
            raise ValidationError("Write an IPv4 or IPv6 address, such as 203.0.113.7 or 2001:db8::7.") from error


class WhyNotForm(forms.Form):
    """The form for an address and a session."""

    address = AddressField(
        required=False,
        label="IP address",
        help_text="Leave blank for an address that is on no allow-list.",
        widget=UnfoldAdminTextInputWidget,
    )
    session = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, label="Session", widget=UnfoldAdminSelectWidget
    )

    def __init__(self, sign_ins: list[SignIn], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        newest = {sign_in.session_id: sign_in for sign_in in reversed(sign_ins)}
        choices = [(pk, f"{pk}: {state(sign_in)}") for pk, sign_in in reversed(newest.items())]
        self.fields["session"].choices = [("", "A new one, as if they signed in now"), *choices]  # type: ignore[attr-defined]  # a ChoiceField


def state(sign_in: SignIn) -> str:
    """The state of the sign-in in words: whether it counts, and if not, why."""
    now = timezone.now()
    session = sign_in.session
    if sign_in.ended_at is not None or session.ended_at is not None:
        return "ended"
    if min(sign_in.expires_at, session.expires_at) <= now:
        return "expired"
    if session.active_sign_in_id != sign_in.pk:
        return "live, but another sign-in is active in it"
    return "live"


def why_not_page(page: admin.ModelAdmin, request: HttpRequest, user_id: int, workspace_id: int | None) -> HttpResponse:
    """The page for the user, with the decisions on one workspace or on all of theirs."""
    if not request.user.has_perms(["accounts.view_user", "memberships.view_workspacemembership"]):
        raise PermissionDenied
    users = visible_to(request.user, User.objects.select_related("deployment"))
    user = get_object_or_404(users, pk=user_id)
    sign_ins = list(user.sign_ins.select_related("session").order_by("-pk")[:SIGN_INS])
    live = [sign_in for sign_in in sign_ins if state(sign_in) == "live"]
    address = sign_ins[0].ip_address if sign_ins else None
    asked = request.GET if "address" in request.GET else {"address": address or "", "session": _id(live)}
    form = WhyNotForm(sign_ins, asked)
    if request.method == "POST":
        return _add_to_allow_list(request, user)
    context = {
        **page.admin_site.each_context(request),
        "title": "Why can't they enter?",
        "subtitle": str(user),
        "opts": page.opts,
        "user_asked_for": user,
        "form": form,
        "sign_ins": [(sign_in, state(sign_in)) for sign_in in sign_ins],
        "link_to_result": f"?{urlencode({name: asked.get(name) or '' for name in form.fields})}",
        "media": page.media + form.media,
    }
    if form.is_valid():
        sessions = {sign_in.session_id: sign_in.session for sign_in in sign_ins}
        session = sessions.get(form.cleaned_data["session"])
        explanation = explain(user, address=form.cleaned_data["address"], session=session)
        if AS_FILE in request.GET:
            return _file(explanation, hides=not request.user.has_perm(PRIVATE_METADATA))
        context |= _shown(explanation, workspace_id, form.cleaned_data["address"], request)
    return TemplateResponse(request, "staff/why_not.html", context)


PLACES: dict[str, type[Organization | Workspace]] = {"organization": Organization, "workspace": Workspace}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule for a workspace: its outcome, the reason in words, and the place whose rule it is."""

    finding: Finding
    reason: str
    place_id: str
    may_change: bool

    @property
    def is_unmet(self) -> bool:
        return self.finding.outcome is Outcome.UNMET


class DecisionRow:
    """The decision on a workspace as the page shows it: the outcome, the rules that decide it, and the others."""

    def __init__(self, decision: Decision, explanation: Explanation, request: HttpRequest) -> None:
        self.decision = decision
        self.may_enter = decision.may_enter
        rules = [
            Rule(
                finding,
                reason(finding, explanation.has_mfa),
                decision.membership[finding.level.kind]["id"],
                request.user.has_perm(f"organizations.change_{finding.level.kind}"),
            )
            for finding in decision.findings
        ]
        self.deciding = [] if self.may_enter else [rule for rule in rules if rule.is_unmet]
        self.needs_mfa = any(rule.finding.rule == "MFA" for rule in self.deciding)
        self.others = [rule for rule in rules if rule not in self.deciding]


class AllowListForm(forms.Form):
    """The address that the button names. The newest sign-in may have another one by the time it is pressed."""

    address = AddressField()


def _add_to_allow_list(request: HttpRequest, user: User) -> HttpResponse:
    """Add the form's address to the allow-list of the place of ``user`` that it names, such as "workspace 5"."""
    kind, _, place_id = request.POST.get("add_to", "").partition(" ")
    if kind not in PLACES or not place_id.isdecimal():
        raise PermissionDenied
    if not request.user.has_perm(f"organizations.change_{kind}"):
        raise PermissionDenied
    form = AllowListForm(request.POST)
    if not form.is_valid():
        raise BadRequest("the form has no valid address")
    address: Address = form.cleaned_data["address"]
    with transaction.atomic():
        places = PLACES[kind]._default_manager.filter(memberships__user=user).select_for_update(no_key=True)
        place = get_object_or_404(places, pk=place_id)
        if str(address) not in place.whitelisted_ips:
            place.whitelisted_ips = [*place.whitelisted_ips, str(address)]
            place.full_clean()
            place.save()
            groups.name(f"Add {address} to the allow-list of {kind} “{place}”")
    messages.success(request, f"Added {address} to the allow-list of the {kind} “{place.name}”.")
    return HttpResponseRedirect(request.get_full_path())


def _id(live: list[SignIn]) -> str:
    return str(live[0].session_id) if live else ""


def _shown(
    explanation: Explanation, workspace_id: int | None, address: Address | None, request: HttpRequest
) -> dict[str, Any]:
    decisions = [
        decision
        for decision in explanation.decisions
        if workspace_id is None or decision.membership["workspace"]["id"] == str(workspace_id)
    ]
    shown = sorted(decisions, key=lambda decision: decision.may_enter)[:SHOWN]
    hides = not request.user.has_perm(PRIVATE_METADATA)
    entered = sum(decision.may_enter for decision in decisions)
    is_long = len(explanation.content.get("data", [])) > SHOWN
    part = [decision.membership for decision in shown] if is_long else None
    return {
        "explanation": explanation,
        "address": address,
        "headings": ["Workspace", "Outcome", "Reason", "Cure"],
        "rows": [DecisionRow(decision, explanation, request) for decision in shown],
        "share": f"{entered:,} of {number_of(len(decisions), 'workspace')}",
        "not_shown": number_of(len(decisions) - len(shown), "more workspace") if len(decisions) > len(shown) else "",
        "entered": entered,
        "json": _json(explanation, hides=hides, part=part).decode(),
        "as_file": AS_FILE if is_long else "",
        "hides_private_metadata": hides,
        "bytes": number_of(len(explanation.answer.body), "byte"),
    }


def _json(explanation: Explanation, *, hides: bool, part: list[dict[str, Any]] | None = None) -> bytes:
    """The response, or ``part`` of its memberships, indented; without private metadata if it ``hides`` them."""
    content = explanation.content if part is None else explanation.content | {"data": part}
    if hides:
        for membership in content.get("data", []):
            membership["workspace"]["private_metadata"] = membership["organization"]["private_metadata"] = {}
    return orjson.dumps(content, option=orjson.OPT_INDENT_2)


def _file(explanation: Explanation, *, hides: bool) -> HttpResponse:
    """The whole response, to save."""
    headers = {"Content-Disposition": 'attachment; filename="response.json"'}
    return HttpResponse(_json(explanation, hides=hides), content_type="application/json", headers=headers)


def reason(finding: Finding, has_mfa: bool) -> str:
    """The sentence that explains a finding to staff."""
    level = finding.level
    if finding.outcome is Outcome.SWITCHED_OFF:
        return f"Not in force: {finding.switch} of the deployment is off."
    if finding.outcome is Outcome.EMPTY_LIST:
        return "Not in force: the allow-list is empty."
    if finding.rule == "MFA":
        if finding.outcome is Outcome.NOT_ENABLED:
            return f"Not in force: {_mfa_field(finding)} is off."
        return f"{_mfa_field(finding)} is on, and the user has {'' if has_mfa else 'not '}set up MFA."
    if finding.outcome is Outcome.NOT_ENABLED:
        return "Not in force: enable_ip_restriction is off."
    if finding.outcome is Outcome.MET:
        return f"The address is in {finding.entry}."
    return f"The address is not in {', '.join(level.whitelisted_ips)}."


def _mfa_field(finding: Finding) -> str:
    return "enforce_mfa" if finding.level.kind == "organization" else "enforce_2fa"
