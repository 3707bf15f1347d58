"""Explains why a user cannot enter: the endpoint's answer to them, and the outcome of each rule of eligibility.

Nothing is decided here. The endpoint itself is called, as the user's browser would call it, in a transaction that is
rolled back; and the rules are those of ``memberships.eligibility``, which the endpoint uses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import orjson
from django.db import transaction
from django.http import HttpRequest
from django.urls import resolve
from django.utils import timezone

from accounts.authentication.sent_tokens import COOKIE
from accounts.authentication.sessions import session_token, start_session
from accounts.credentials.mfa import available_methods
from accounts.models import Deployment, Session, User
from accounts.tokens.keys import signing_key
from api.answers import Reply
from api.networks import Address, matching_entry
from memberships.eligibility import EligibilityRestriction, Level, Outcome
from memberships.listing.poll import SOURCE
from memberships.models import OrganizationMembershipRole
from organizations.models import ORGANIZATION_ADMIN, WORKSPACE_ADMIN

_PATH = f"/{SOURCE.route}"
SWITCHES = {
    ("organization", "IP"): "ip_allowlist_per_org_enabled",
    ("workspace", "IP"): "ip_allowlist_per_workspace_enabled",
    ("organization", "MFA"): "enforce_mfa_per_org_enabled",
    ("workspace", "MFA"): "enforce_mfa_per_workspace_enabled",
}
"""The deployment's switch for each rule at each level."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of a rule at a level, with the entry of the allow-list that lets the address in, if one does."""

    level: Level
    rule: Literal["IP", "MFA"]
    outcome: Outcome
    entry: str | None = None

    @property
    def switch(self) -> str:
        return SWITCHES[self.level.kind, self.rule]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the user may enter a workspace, as the endpoint says, and why."""

    membership: dict[str, Any]
    """A ``WorkspaceMembership`` of the answer."""
    admin_roles: list[str]
    """Names of the roles that exempt the user from all rules."""
    findings: list[Finding]

    @property
    def restriction(self) -> EligibilityRestriction:
        restriction: EligibilityRestriction = self.membership["eligibility_restriction"]
        return restriction

    @property
    def may_enter(self) -> bool:
        return self.restriction["type"] == "none"


@dataclass(frozen=True, slots=True)
class Explanation:
    """``answer`` is the endpoint's answer to the user. If it is an error, the decisions are those for the same user,
    enabled and signed in anew: they show the rules that would still keep the user out.
    """

    answer: Reply
    decisions: list[Decision]
    has_mfa: bool

    @property
    def error(self) -> str:
        """The message with which the endpoint refuses to answer, "" if it answers."""
        return "" if self.answer.status == 200 else str(orjson.loads(self.answer.body)["errors"][0]["message"])


def explain(user: User, *, address: Address | None, session: Session | None = None) -> Explanation:
    """Explain the answer to ``user`` at ``address`` in ``session``, or, without one, after a sign-in now."""
    signing_key(user.deployment)  # made with the first token, and not to be rolled back with it
    with transaction.atomic():
        answer = explained = _call(user, session or _new_session(user), address)
        if answer.status != 200:
            User.objects.filter(pk=user.pk).update(disabled=False)
            explained = _call(user, _new_session(user), address)
        transaction.set_rollback(True)
    has_mfa = bool(available_methods(user))
    memberships = orjson.loads(explained.body)["data"]
    return Explanation(answer, _decisions(user, memberships, address, has_mfa), has_mfa=has_mfa)


def _new_session(user: User) -> Session:
    return start_session(user=user, expires_at=timezone.now() + timedelta(hours=1))


def _call(user: User, session: Session, address: Address | None) -> Reply:
    """Call the endpoint as a request from ``address`` would that carries the session's token."""
    session.deployment = user.deployment
    host = user.deployment.host
    request: Any = HttpRequest()
    request.method = "GET"
    request.path = request.path_info = _PATH
    request.META = {
        "REQUEST_METHOD": "GET",
        "HTTP_HOST": f"[{host}]" if ":" in host else host,
        "SERVER_NAME": host,
        "SERVER_PORT": "443",
        "REMOTE_ADDR": str(address or ""),
        "PATH_INFO": _PATH,
        "HTTP_COOKIE": f"{COOKIE}={session_token(session)}",
    }
    request.client_address = address
    match = resolve(_PATH)
    response: Any = match.func(request, *match.args, **match.kwargs)
    if hasattr(response, "render"):
        response = response.render()
    return Reply(response.status_code, [], response.content)


def _decisions(
    user: User, memberships: Sequence[dict[str, Any]], address: Address | None, has_mfa: bool
) -> list[Decision]:
    administered = defaultdict(list)
    for organization_id, name in OrganizationMembershipRole.objects.filter(
        membership__user=user, role__permissions__contains=[ORGANIZATION_ADMIN]
    ).values_list("membership__organization_id", "role__name"):
        administered[str(organization_id)].append(name)
    return [
        Decision(
            membership,
            [role["name"] for role in membership["roles"] if WORKSPACE_ADMIN in role["permissions"]]
            + administered[membership["organization_id"]],
            [
                finding
                for level in _levels(membership, user.deployment)
                for finding in _findings(level, address, has_mfa)
            ],
        )
        for membership in memberships
    ]


_MFA_FIELDS: dict[Literal["organization", "workspace"], str] = {
    "organization": "enforce_mfa",
    "workspace": "enforce_2fa",
}


def _levels(membership: dict[str, Any], deployment: Deployment) -> list[Level]:
    """The levels of the answer: the organization, then the workspace."""
    return [
        Level(
            kind=kind,
            name=membership[kind]["name"],
            enable_ip_restriction=membership[kind]["enable_ip_restriction"],
            whitelisted_ips=membership[kind]["whitelisted_ips"],
            enforce_mfa=membership[kind][mfa_field],
            ip_rule_allowed=getattr(deployment, SWITCHES[kind, "IP"]),
            mfa_rule_allowed=getattr(deployment, SWITCHES[kind, "MFA"]),
        )
        for kind, mfa_field in _MFA_FIELDS.items()
    ]


def _findings(level: Level, address: Address | None, has_mfa: bool) -> list[Finding]:
    return [
        Finding(level, "IP", level.ip_rule(address), matching_entry(address, level.whitelisted_ips)),
        Finding(level, "MFA", level.mfa_rule(has_mfa)),
    ]
