"""Explains why a user cannot enter: the endpoint's answer to them, and the outcome of each rule of eligibility.

Nothing is decided here. The core of the endpoint answers, as it answers the user's browser, in a transaction that is
rolled back; and the rules are those of ``memberships.eligibility``, which the endpoint uses. That takes no token: to
sign one may write to the deployment's key, and everything would be read four times over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import orjson
from django.db import transaction
from django.utils import timezone

from accounts.authentication.session_rows import session_of
from accounts.authentication.sessions import Caller, SignedIn, signed_in, start_session
from accounts.credentials.mfa import has_authenticator
from accounts.models import Deployment, Session, User
from accounts.polled.poll import Poll
from accounts.polled.viewers import viewer_of
from api.answers import Reply
from api.errors import ApiError, error_response
from api.networks import Address, matching_entry
from database.prepared import run
from memberships.eligibility import EligibilityRestriction, Level, Outcome
from memberships.listing.poll import SOURCE
from memberships.listing.statement import ListingRow
from memberships.models import OrganizationMembershipRole
from organizations.models import ORGANIZATION_ADMIN, WORKSPACE_ADMIN

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
    content: dict[str, Any]
    """The body of ``answer``, parsed; its memberships are those of the decisions."""
    decisions: list[Decision]
    has_mfa: bool

    @property
    def error(self) -> str:
        """The message with which the endpoint refuses to answer, "" if it answers."""
        return "" if self.answer.status == 200 else str(self.content["errors"][0]["message"])


def explain(user: User, *, address: Address | None, session: Session | None = None) -> Explanation:
    """Explain the answer to ``user`` at ``address`` in ``session``, or, without one, after a sign-in now."""
    asked, deployment, refusal = Poll(address), user.deployment, None
    with transaction.atomic():
        row = _read(user, asked, session or _new_session(user), wants_all=session is None)
        try:
            caller = signed_in(Caller(deployment, session_of(row.session_columns, deployment)))
        except ApiError as error:
            refusal = error_response(error.problem, error.message)
            row = _read(user, asked, _new_session(user)) if session else row
            caller = _enabled(user, session_of(row.session_columns, deployment))
        row = row if row.is_whole else _read(user, asked, caller.session)
        body = SOURCE.compose(viewer_of(caller), row, asked).body()
        transaction.set_rollback(True)
    # Somebody else may be active in the session.
    has_mfa = caller.has_mfa if caller.user.pk == user.pk else has_authenticator(user)
    content = orjson.loads(body)
    decisions = _decisions(user, content["data"], address, has_mfa)
    if refusal is None:
        return Explanation(Reply(200, [], body), content, decisions, has_mfa)
    answer = Reply(refusal.status_code, [], refusal.content)
    return Explanation(answer, orjson.loads(answer.body), decisions, has_mfa)


def _new_session(user: User) -> Session:
    return start_session(user=user, expires_at=timezone.now() + timedelta(hours=1))


def _read(user: User, asked: Poll, session: Session, *, wants_all: bool = True) -> ListingRow:
    """The row of the endpoint. Where it ``wants_all``, all that is composed comes with it, in one round trip: after
    the transaction has written, it cannot rely on the cache.
    """
    return run(SOURCE.read(user.deployment, session.pk, asked, is_loaded=wants_all, wants_all=wants_all))


def _enabled(user: User, session: Session) -> SignedIn:
    """The caller in ``session``, a new one of ``user``, as if they were enabled."""
    assert session.active_sign_in is not None, "the session has begun with a sign-in"
    return SignedIn(user.deployment, session, session.active_sign_in, user, session.has_mfa)


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
