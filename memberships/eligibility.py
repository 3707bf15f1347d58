"""May a member enter a workspace now, from here? Pure functions: everything they need is handed to them.

The rules are those of docs/eligibility.md. They are kept at two levels, the organization's and the workspace's, and
both must be met. Who administers the workspace or the organization is never restricted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from config.networks import Address, matches

RestrictionType = Literal["none", "ip_not_allowed", "mfa_required", "ip_and_mfa_required"]
RESTRICTION_TYPES: list[tuple[RestrictionType, str]] = [
    ("none", "The user may enter."),
    ("ip_not_allowed", "The user's address is on none of the allow-lists that count."),
    ("mfa_required", "The user must set up a second factor."),
    ("ip_and_mfa_required", "Both of the above."),
]


class EligibilityRestriction(TypedDict):
    """What keeps the user out, as clients read it; ``message`` says what to do, "" if nothing does."""

    type: RestrictionType
    message: str


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

    def refuses_address(self, address: Address | None) -> bool:
        """Whether the IP rule counts here and ``address`` fails it; an unknown address (None) does."""
        counts = self.ip_rule_allowed and self.enable_ip_restriction and len(self.whitelisted_ips) > 0
        return counts and not matches(address, self.whitelisted_ips)

    def refuses_single_factor(self, has_second_factor: bool) -> bool:
        """Whether the MFA rule counts here and is not met."""
        return self.mfa_rule_allowed and self.enforce_mfa and not has_second_factor


UNRESTRICTED: EligibilityRestriction = {"type": "none", "message": ""}


def restriction(
    levels: Sequence[Level], *, is_admin: bool, address: Address | None, has_second_factor: bool
) -> EligibilityRestriction:
    """What keeps a member out of a workspace, given the ``levels`` above and of it, outermost first."""
    if is_admin:
        return UNRESTRICTED
    ip = [level.label for level in levels if level.refuses_address(address)]
    mfa = [level.label for level in levels if level.refuses_single_factor(has_second_factor)]
    if ip and mfa:
        message = (
            f"Set up a second factor, which {' and '.join(mfa)} {_verb(mfa, 'require')}, "
            f"and connect from a network that {' and '.join(ip)} {_verb(ip, 'allow')}."
        )
        return {"type": "ip_and_mfa_required", "message": message}
    if ip:
        message = f"Connect from a network that {' and '.join(ip)} {_verb(ip, 'allow')}."
        return {"type": "ip_not_allowed", "message": message}
    if mfa:
        message = f"Set up a second factor, which {' and '.join(mfa)} {_verb(mfa, 'require')}."
        return {"type": "mfa_required", "message": message}
    return UNRESTRICTED


def _verb(subjects: Sequence[str], plural: str) -> str:
    return plural if len(subjects) > 1 else f"{plural}s"
