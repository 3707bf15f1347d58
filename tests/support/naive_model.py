"""A naive reading of the contract: a few loops over a drawn graph that share no code with the service."""

from __future__ import annotations

import ipaddress
from typing import Any

from tests.support.graphs import DrawnDeployment, Request


def is_listed(address: str, entries: tuple[str, ...]) -> bool:
    if address == "":
        return False
    caller = ipaddress.ip_address(address)
    if caller.version == 6 and caller.ipv4_mapped is not None:
        caller = caller.ipv4_mapped
    for entry in entries:
        if entry.startswith("::ffff:"):
            text, _, prefix = entry.removeprefix("::ffff:").partition("/")
            entry = f"{text}/{int(prefix or 128) - 96}"
        network = ipaddress.ip_network(entry)
        if network.version == caller.version and caller in network:
            return True
    return False


def expected_answer(everything: list[DrawnDeployment], request: Request) -> tuple[int, list[dict[str, Any]]]:
    """The code of the error, or 200, and the memberships in the terms of ``summary``."""
    drawn = everything[request.deployment]
    person = drawn.people[request.person]
    if request.sent_as == "parameter" and not everything[request.host_of].staging:
        return 40101, []
    if request.host_of != request.deployment:
        return 40102, []
    if person.disabled:
        return 40106, []
    kind, asked_for = request.organization
    if kind == "malformed":
        return int(asked_for[1]), []
    own_organizations = {
        membership.place: membership
        for membership in drawn.organization_memberships
        if membership.person == request.person
    }
    if kind == "nonexistent":
        return 40403, []
    if kind == "organization" and (asked_for[0] != request.deployment or asked_for[1] not in own_organizations):
        return 40403, []
    items = []
    for membership in drawn.workspace_memberships:
        if membership.person != request.person:
            continue
        workspace = drawn.workspaces[membership.place]
        if kind == "organization" and workspace.parent != asked_for[1]:
            continue
        organization = drawn.organizations[workspace.parent]
        administers_organization = any(
            "organization:admin" in drawn.organization_roles[role].permissions
            for role in own_organizations[workspace.parent].roles
        )
        administers_workspace = any(
            "workspace:admin" in drawn.workspace_roles[role].permissions for role in membership.roles
        )
        barred_by_address = False
        if drawn.address_rule_per_organization and organization.restricts_address and organization.entries:
            barred_by_address |= not is_listed(request.address, organization.entries)
        if drawn.address_rule_per_workspace and workspace.restricts_address and workspace.entries:
            barred_by_address |= not is_listed(request.address, workspace.entries)
        barred_by_mfa = person.mfa != "confirmed" and (
            (drawn.mfa_rule_per_organization and organization.requires_mfa)
            or (drawn.mfa_rule_per_workspace and workspace.requires_mfa)
        )
        if administers_workspace or administers_organization:
            restriction = "none"
        elif barred_by_address and barred_by_mfa:
            restriction = "ip_and_mfa_required"
        elif barred_by_address:
            restriction = "ip_not_allowed"
        elif barred_by_mfa:
            restriction = "mfa_required"
        else:
            restriction = "none"
        everybody, nobody = drawn.audience == "members", drawn.audience == "nobody"
        items.append(
            {
                "day": membership.day,
                "membership": membership.name,
                "user": person.email,
                "workspace": workspace.name,
                "workspace members": sum(other.place == membership.place for other in drawn.workspace_memberships),
                "workspace segments": sorted(workspace.segments),
                "workspace secret": everybody or (not nobody and (administers_workspace or administers_organization)),
                "organization": organization.name,
                "organization members": sum(
                    other.place == workspace.parent for other in drawn.organization_memberships
                ),
                "organization segments": sorted(organization.segments),
                "organization secret": everybody or (not nobody and administers_organization),
                "roles": [drawn.workspace_roles[role].name for role in sorted(membership.roles)],
                "restriction": restriction,
            }
        )
    return 200, sorted(items, key=lambda item: int(item["day"]))  # stable: the order of writing, within a day
