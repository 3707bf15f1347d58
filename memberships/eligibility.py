"""May a member enter a workspace now, from here? Pure functions: everything they need is handed to them.

The rules are those of docs/eligibility.md. They are kept at two levels, the organization's and the workspace's, and
both must be met. Administrators of the workspace or the organization are never restricted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypedDict

from api.networks import Address, matches

RestrictionType = Literal["none", "ip_not_allowed", "mfa_required", "ip_and_mfa_required"]
RESTRICTION_TYPES: list[tuple[RestrictionType, str]] = [
    ("none", "The user may enter."),
    ("ip_not_allowed", "The user's address is on none of the allow-lists that count."),
    ("mfa_required", "The user must set up multi-factor authentication (MFA)."),
    ("ip_and_mfa_required", "Both of the above."),
]


class EligibilityRestriction(TypedDict):
    """The restriction that clients read; ``message`` says what to do, "" if there is nothing to do."""

    type: RestrictionType
    message: str


class Outcome(Enum):
    """The outcome of a rule at a level. A rule that does not count, or that is met, keeps nobody out."""

    SWITCHED_OFF = "the deployment lets no such level have the rule"
    NOT_ENABLED = "the level does not have the rule"
    EMPTY_LIST = "the level has the rule, but nothing on its allow-list"
    MET = "the rule counts and is met"
    UNMET = "the rule counts and is not met"


@dataclass(frozen=True, slots=True)
class Level:
    """The rules of an organization or a workspace, and whether its deployment lets such a level have them."""

    kind: Literal["organization", "workspace"]
    name: str
    enable_ip_restriction: bool
    whitelisted_ips: Sequence[str]
    enforce_mfa: bool
    ip_rule_allowed: bool
    mfa_rule_allowed: bool

    @property
    def label(self) -> str:
        return f"the {self.kind} “{self.name}”"

    def ip_rule(self, address: Address | None) -> Outcome:
        """The IP rule for a caller at ``address``; an unknown one (None) is on no allow-list."""
        if not self.ip_rule_allowed:
            return Outcome.SWITCHED_OFF
        if not self.enable_ip_restriction:
            return Outcome.NOT_ENABLED
        if not self.whitelisted_ips:
            return Outcome.EMPTY_LIST
        return Outcome.MET if matches(address, self.whitelisted_ips) else Outcome.UNMET

    def mfa_rule(self, has_mfa: bool) -> Outcome:
        """The MFA rule."""
        if not self.mfa_rule_allowed:
            return Outcome.SWITCHED_OFF
        if not self.enforce_mfa:
            return Outcome.NOT_ENABLED
        return Outcome.MET if has_mfa else Outcome.UNMET


UNRESTRICTED: EligibilityRestriction = {"type": "none", "message": ""}


def restriction(
    levels: Sequence[Level], *, is_admin: bool, address: Address | None, has_mfa: bool
) -> EligibilityRestriction:
    """The restriction of a member of a workspace, given the ``levels`` above and of it, outermost first."""
    if is_admin:
        return UNRESTRICTED
    ip = [level.label for level in levels if level.ip_rule(address) is Outcome.UNMET]
    mfa = [level.label for level in levels if level.mfa_rule(has_mfa) is Outcome.UNMET]
    if ip and mfa:
        message = (
            f"Set up multi-factor authentication (MFA), which {' and '.join(mfa)} {_verb(mfa, 'require')}, "
            f"and connect from a network that {' and '.join(ip)} {_verb(ip, 'allow')}."
        )
        return {"type": "ip_and_mfa_required", "message": message}
    if ip:
        message = f"Connect from a network that {' and '.join(ip)} {_verb(ip, 'allow')}."
        return {"type": "ip_not_allowed", "message": message}
    if mfa:
        message = f"Set up multi-factor authentication (MFA), which {' and '.join(mfa)} {_verb(mfa, 'require')}."
        return {"type": "mfa_required", "message": message}
    return UNRESTRICTED


def _verb(subjects: Sequence[str], plural: str) -> str:
    return plural if len(subjects) > 1 else f"{plural}s"
