"""May the caller enter this workspace, from this address, with the MFA that they have set up? (decision 8)"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, Literal

from django.utils import timezone

from accounts.models import Authenticator, Deployment, User
from api.networks import parse_address
from memberships.eligibility import Level, Outcome, restriction
from memberships.models import OrganizationMembershipRole, WorkspaceMembership, WorkspaceMembershipRole
from tests.support.api import memberships
from tests.support.cases import each
from tests.support.factories import (
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    backup_code,
    confirmed_authenticator,
    join,
    join_organization,
)

HERE = "192.0.2.7"
MATCHING, ELSEWHERE, EMPTY = ["198.51.100.1", "192.0.2.0/24"], ["198.51.100.0/24", "2001:db8::/32"], list[str]()


def level(kind: Literal["organization", "workspace"] = "workspace", **values: Any) -> Level:
    """A level that restricts nothing, but for ``values``."""
    restricts_nothing: dict[str, Any] = {
        "enable_ip_restriction": False,
        "whitelisted_ips": [],
        "enforce_mfa": False,
        "ip_rule_allowed": True,
        "mfa_rule_allowed": True,
    }
    return Level(kind=kind, **{"name": kind.title(), **restricts_nothing, **values})


def test_every_combination_of_rules_is_decided_as_the_contract_says() -> None:
    flags = (False, True)
    kinds: tuple[Literal["organization", "workspace"], ...] = ("organization", "workspace")
    one_level = list(product(flags, flags, flags, flags, (EMPTY, ELSEWHERE, MATCHING)))
    seen = set()
    for organization, workspace in product(one_level, one_level):
        levels = [
            level(
                kind,
                ip_rule_allowed=ip_allowed,
                mfa_rule_allowed=mfa_allowed,
                enable_ip_restriction=ip_on,
                enforce_mfa=mfa_on,
                whitelisted_ips=entries,
            )
            for kind, (ip_allowed, mfa_allowed, ip_on, mfa_on, entries) in zip(
                kinds, (organization, workspace), strict=True
            )
        ]
        by_address = [values[0] and values[2] and values[4] is ELSEWHERE for values in (organization, workspace)]
        by_mfa = [values[1] and values[3] for values in (organization, workspace)]
        for is_admin, has_mfa in product(flags, flags):
            expected = {
                (False, False): "none",
                (True, False): "ip_not_allowed",
                (False, True): "mfa_required",
                (True, True): "ip_and_mfa_required",
            }[not is_admin and any(by_address), not is_admin and not has_mfa and any(by_mfa)]
            found = restriction(levels, is_admin=is_admin, address=parse_address(HERE), has_mfa=has_mfa)
            assert found["type"] == expected, (levels, is_admin, has_mfa)
            unmet = [
                any(level.ip_rule(parse_address(HERE)) is Outcome.UNMET for level in levels),
                any(level.mfa_rule(has_mfa) is Outcome.UNMET for level in levels),
            ]
            assert is_admin or unmet == ["ip_" in expected, "mfa_" in expected]
            seen.add(found["type"])

            message = found["message"]
            ip_part, mfa_part = "ip_" in expected, "mfa_" in expected
            assert ("connect from a network" in message.lower()) is ip_part
            assert ("set up multi-factor authentication (mfa)" in message.lower()) is mfa_part
            for index, name in enumerate(("the organization “Organization”", "the workspace “Workspace”")):
                concerned = (ip_part and by_address[index]) + (mfa_part and by_mfa[index])
                assert message.count(name) == concerned, message
    assert seen == {"none", "ip_not_allowed", "mfa_required", "ip_and_mfa_required"}


ON = {"enable_ip_restriction": True, "whitelisted_ips": MATCHING}


@each(
    ("values", "address", "outcome"),
    [
        (ON | {"ip_rule_allowed": False}, HERE, Outcome.SWITCHED_OFF),
        (ON | {"enable_ip_restriction": False}, HERE, Outcome.NOT_ENABLED),
        (ON | {"whitelisted_ips": EMPTY}, HERE, Outcome.EMPTY_LIST),
        (ON, HERE, Outcome.MET),
        (ON | {"whitelisted_ips": ELSEWHERE}, HERE, Outcome.UNMET),
        (ON, None, Outcome.UNMET),
    ],
)
def test_the_ip_rule_says_why_it_counts_or_not(values: dict[str, Any], address: str | None, outcome: Outcome) -> None:
    assert level(**values).ip_rule(parse_address(address) if address else None) is outcome


@each(
    ("values", "has_mfa", "outcome"),
    [
        ({"enforce_mfa": True, "mfa_rule_allowed": False}, False, Outcome.SWITCHED_OFF),
        ({"enforce_mfa": False}, False, Outcome.NOT_ENABLED),
        ({"enforce_mfa": True}, True, Outcome.MET),
        ({"enforce_mfa": True}, False, Outcome.UNMET),
    ],
)
def test_the_mfa_rule_says_why_it_counts_or_not(values: dict[str, Any], has_mfa: bool, outcome: Outcome) -> None:
    assert level(**values).mfa_rule(has_mfa) is outcome


OPEN: dict[str, Any] = {}
GUARDED: dict[str, Any] = {"enable_ip_restriction": True, "whitelisted_ips": ELSEWHERE}
STRICT: dict[str, Any] = {"enforce_mfa": True}


@each(
    ("organization", "workspace", "message"),
    [
        (OPEN, OPEN, ""),
        (GUARDED, OPEN, "Connect from a network that the organization “Acme” allows."),
        (OPEN, GUARDED, "Connect from a network that the workspace “Vault” allows."),
        (GUARDED, GUARDED, "Connect from a network that the organization “Acme” and the workspace “Vault” allow."),
        (STRICT, OPEN, "Set up multi-factor authentication (MFA), which the organization “Acme” requires."),
        (OPEN, STRICT, "Set up multi-factor authentication (MFA), which the workspace “Vault” requires."),
        (
            STRICT,
            STRICT,
            (
                "Set up multi-factor authentication (MFA), which the organization “Acme” and the workspace “Vault” "
                "require."
            ),
        ),
        (
            GUARDED,
            STRICT,
            (
                "Set up multi-factor authentication (MFA), which the workspace “Vault” requires, "
                "and connect from a network that the organization “Acme” allows."
            ),
        ),
        (
            GUARDED | STRICT,
            GUARDED | STRICT,
            (
                "Set up multi-factor authentication (MFA), which the organization “Acme” and the workspace “Vault” "
                "require, "
                "and connect from a network that the organization “Acme” and the workspace “Vault” allow."
            ),
        ),
    ],
)
def test_the_message_is_one_sentence_that_names_the_remedy_and_the_user(
    organization: dict[str, Any], workspace: dict[str, Any], message: str
) -> None:
    found = restriction(
        [level("organization", name="Acme", **organization), level("workspace", name="Vault", **workspace)],
        is_admin=False,
        address=parse_address(HERE),
        has_mfa=False,
    )
    assert found["message"] == message


def test_an_unknown_address_is_on_no_allow_list() -> None:
    everywhere = level(enable_ip_restriction=True, whitelisted_ips=["0.0.0.0/0", "::/0"])
    found = restriction([everywhere], is_admin=False, address=None, has_mfa=True)
    assert found["type"] == "ip_not_allowed"


def restriction_of(user: User, **request: Any) -> str:
    """The type in the one membership of ``user``, who asks from ``HERE`` unless ``request`` says otherwise."""
    (item,) = memberships(user, **{"REMOTE_ADDR": HERE, **request})
    return str(item["eligibility_restriction"]["type"])


def member_of(user: User, *, organization: dict[str, Any], workspace: dict[str, Any]) -> WorkspaceMembership:
    """``user`` in a new workspace; both levels have the given rules."""
    its_organization = OrganizationFactory.create(deployment=user.deployment, **organization)
    return join(user, WorkspaceFactory.create(organization=its_organization, **workspace))


@each(
    ("entries", "address", "type_"),
    [
        (["192.0.2.7"], "192.0.2.7", "none"),
        (["192.0.2.7"], "192.0.2.8", "ip_not_allowed"),
        (["192.0.2.7"], "::ffff:192.0.2.7", "none"),
        (["::ffff:192.0.2.7"], "192.0.2.7", "none"),
        (["192.0.2.0/24"], "192.0.3.0", "ip_not_allowed"),
        (["198.51.100.1", "2001:db8::/32"], "2001:db8:ffff::1", "none"),
        (["2001:db8::/32"], "2001:db9::1", "ip_not_allowed"),
        (["0.0.0.0/0"], "2001:db8::1", "ip_not_allowed"),
        (["::/0"], "192.0.2.7", "ip_not_allowed"),
        ([], "192.0.2.7", "none"),
        (["0.0.0.0/0", "::/0"], "", "ip_not_allowed"),
    ],
)
@each("at", ["organization", "workspace"])
def test_the_callers_address_must_match_an_entry(
    user: User, at: str, entries: list[str], address: str, type_: str
) -> None:
    rule = {"enable_ip_restriction": True, "whitelisted_ips": entries}
    member_of(user, **{"organization": {}, "workspace": {}, at: rule})
    assert restriction_of(user, REMOTE_ADDR=address) == type_


@each("header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_CLIENT_IP"])
def test_a_forged_address_changes_nothing(user: User, header: str) -> None:
    member_of(user, organization={}, workspace=GUARDED)
    assert restriction_of(user, REMOTE_ADDR="198.51.100.1") == "none"
    assert restriction_of(user, **{header: "198.51.100.1"}) == "ip_not_allowed"


@each(
    ("switch", "organization", "workspace"),
    [
        ("ip_allowlist_per_org_enabled", GUARDED, {}),
        ("ip_allowlist_per_workspace_enabled", {}, GUARDED),
        ("enforce_mfa_per_org_enabled", {"enforce_mfa": True}, {}),
        ("enforce_mfa_per_workspace_enabled", {}, {"enforce_2fa": True}),
    ],
)
def test_each_switch_is_on_by_default_and_governs_one_rule_at_one_level(
    user: User, switch: str, organization: dict[str, Any], workspace: dict[str, Any]
) -> None:
    member_of(user, organization=organization, workspace=workspace)
    assert restriction_of(user) != "none"
    rules = ("ip_allowlist_per_", "enforce_mfa_per_")
    switches = {field.name: False for field in Deployment._meta.get_fields() if field.name.startswith(rules)}
    assert len(switches) == 4
    Deployment.objects.filter(pk=user.deployment.pk).update(**switches | {switch: True})
    assert restriction_of(user) != "none"
    Deployment.objects.filter(pk=user.deployment.pk).update(**dict.fromkeys(switches, True) | {switch: False})
    assert restriction_of(user) == "none"


def nothing(user: User) -> None:
    """No MFA at all."""


def an_unconfirmed_authenticator(user: User) -> None:
    Authenticator.objects.create(user=user, secret=b"unreadable")


def confirmed_and_unconfirmed_authenticators(user: User) -> None:
    an_unconfirmed_authenticator(user)
    confirmed_authenticator(user)
    an_unconfirmed_authenticator(user)


def an_unused_backup_code_alone(user: User) -> None:
    backup_code(user)


def a_backup_code_and_an_unconfirmed_authenticator(user: User) -> None:
    backup_code(user)
    an_unconfirmed_authenticator(user)


def an_authenticator_and_used_backup_codes(user: User) -> None:
    confirmed_authenticator(user)
    backup_code(user, used_at=timezone.now())


def those_of_another_user(user: User) -> None:
    other = UserFactory.create(deployment=user.deployment)
    confirmed_authenticator(other)
    backup_code(other)


@each(
    ("has", "type_"),
    [
        (nothing, "mfa_required"),
        (an_unconfirmed_authenticator, "mfa_required"),
        (confirmed_authenticator, "none"),
        (confirmed_and_unconfirmed_authenticators, "none"),
        (an_unused_backup_code_alone, "mfa_required"),
        (a_backup_code_and_an_unconfirmed_authenticator, "mfa_required"),
        (an_authenticator_and_used_backup_codes, "none"),
        (those_of_another_user, "mfa_required"),
    ],
)
@each(("organization", "workspace"), [({"enforce_mfa": True}, {}), ({}, {"enforce_2fa": True})], ids=["mfa", "2fa"])
def test_a_confirmed_authenticator_alone_is_mfa(
    user: User, organization: Any, workspace: Any, has: Callable[[User], object], type_: str
) -> None:
    member_of(user, organization=organization, workspace=workspace)
    has(user)
    assert restriction_of(user) == type_


def give_workspace_role(membership: WorkspaceMembership, *permissions: str) -> None:
    role = WorkspaceRoleFactory.create(deployment=membership.user.deployment, permissions=list(permissions))
    WorkspaceMembershipRole.objects.create(membership=membership, role=role)


def give_organization_role(membership: WorkspaceMembership, *permissions: str) -> None:
    role = OrganizationRoleFactory.create(deployment=membership.user.deployment, permissions=list(permissions))
    OrganizationMembershipRole.objects.create(
        membership=join_organization(membership.user, membership.organization), role=role
    )


def restricted_member(user: User) -> WorkspaceMembership:
    """``user`` in a workspace that has every rule at both levels, and meets none of them."""
    rules = {"whitelisted_ips": ELSEWHERE, "enable_ip_restriction": True}
    return member_of(user, organization=rules | {"enforce_mfa": True}, workspace=rules | {"enforce_2fa": True})


@each("give", [give_workspace_role, give_organization_role])
@each("others", [[], ["audit:read"]], ids=["alone", "among others"])
def test_an_administrator_is_never_restricted(user: User, give: Any, others: list[str]) -> None:
    membership = restricted_member(user)
    assert restriction_of(user) == "ip_and_mfa_required"
    give(membership, "organization:member", "workspace:member")
    give(membership, *others, "workspace:admin" if give is give_workspace_role else "organization:admin")
    assert restriction_of(user) == "none"


@each(
    ("give", "permission"),
    [
        (give_workspace_role, "organization:admin"),
        (give_organization_role, "workspace:admin"),
        *product(
            [give_workspace_role, give_organization_role],
            [
                "admin",
                "workspace:administrator",
                "organization:administrator",
                "workspace:admin ",
                "Workspace:Admin",
                "ORGANIZATION:ADMIN",
                "workspace:*",
                "workspace:admin,organization:admin",
                "%",
                "",
            ],
        ),
    ],
)
def test_no_other_permission_exempts(user: User, give: Any, permission: str) -> None:
    give(restricted_member(user), permission)
    assert restriction_of(user) == "ip_and_mfa_required"


def test_administering_another_workspace_or_organization_does_not_exempt(user: User) -> None:
    restricted = restricted_member(user)
    sibling = join(user, WorkspaceFactory.create(organization=restricted.organization))
    give_workspace_role(sibling, "workspace:admin")
    elsewhere = restricted_member(user)
    give_workspace_role(elsewhere, "workspace:admin")
    give_organization_role(elsewhere, "organization:admin")
    assert {item["id"]: item["eligibility_restriction"]["type"] for item in memberships(user)} == {
        str(restricted.pk): "ip_and_mfa_required",
        str(sibling.pk): "none",
        str(elsewhere.pk): "none",
    }


def test_an_administrator_of_the_workspace_does_not_exempt_the_others(user: User) -> None:
    restricted = restricted_member(user)
    colleague = UserFactory.create(deployment=user.deployment)
    membership = join(colleague, restricted.workspace)
    give_workspace_role(membership, "workspace:admin")
    give_organization_role(membership, "organization:admin")
    assert restriction_of(user) == "ip_and_mfa_required"
    assert restriction_of(colleague) == "none"
