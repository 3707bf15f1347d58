"""Random tenancies, drawn as plain data: deployments with all that is in them, and requests to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from hypothesis import strategies as st

ENTRIES = [
    "192.0.2.7",
    "192.0.2.0/25",
    "198.51.100.0/24",
    "::ffff:192.0.2.7",
    "::ffff:198.51.100.0/120",
    "2001:db8::7",
    "2001:db8:1::/48",
    "0.0.0.0/0",
    "::/0",
]
ADDRESSES = [
    "192.0.2.7",
    "::ffff:192.0.2.7",
    "192.0.2.200",
    "198.51.100.9",
    "::ffff:198.51.100.9",
    "2001:db8::7",
    "2001:db8:1:2::3",
    "2001:db8:ffff::1",
    "203.0.113.1",
    "",
]
"""Callers; the last is one whose address is not known, as behind a Unix socket."""


@dataclass(frozen=True)
class Place:
    """An organization, or a workspace of the organization with the index ``parent``."""

    name: str
    parent: int
    restricts_address: bool
    entries: tuple[str, ...]
    requires_mfa: bool
    segments: frozenset[int]


@dataclass(frozen=True)
class Role:
    """A role of its deployment, or of the organization or workspace with these indices."""

    name: str
    permissions: tuple[str, ...]
    organization: int | None = None
    workspace: int | None = None


@dataclass(frozen=True)
class Person:
    email: str
    disabled: bool
    mfa: str


@dataclass(frozen=True)
class Membership:
    """``person`` in ``place``, both indices, with roles given by index; ``day`` is that of joining."""

    name: str
    person: int
    place: int
    roles: frozenset[int]
    day: int


@dataclass(frozen=True)
class DrawnDeployment:
    """A deployment and all that is in it. Names are unique over all deployments, so a foreign row shows."""

    staging: bool
    audience: str
    address_rule_per_organization: bool
    address_rule_per_workspace: bool
    mfa_rule_per_organization: bool
    mfa_rule_per_workspace: bool
    people: list[Person]
    organizations: list[Place]
    workspaces: list[Place]
    organization_roles: list[Role]
    workspace_roles: list[Role]
    organization_memberships: list[Membership]
    workspace_memberships: list[Membership]


@dataclass(frozen=True)
class Request:
    """A request by a person of one deployment to the host of another or the same.

    ``organization`` is ``(kind, value)``: the value of "organization" is the indices of its deployment and its own, the
    value of "malformed" the text and the code of its error.
    """

    deployment: int
    person: int
    host_of: int
    address: str
    sent_as: str
    organization: tuple[str, Any]


# Made once: making a strategy takes longer than drawing from it.
OFTEN = st.sampled_from([True, True, False])
SELDOM = st.sampled_from([True, False, False, False, False])
SWITCH = st.sampled_from([True, True, True, False])
ONE_TO_THREE = st.integers(1, 3)
DAYS = st.integers(0, 2)
MFA = st.sampled_from(["none", "none", "unconfirmed", "confirmed", "backup code", "used code"])
AUDIENCES = st.sampled_from(["members", "admins", "nobody"])
ALLOW_LISTS = st.sampled_from([(), *((entry,) for entry in ENTRIES), *combinations(ENTRIES, 2)])
SEGMENTS = st.sampled_from([frozenset(), frozenset({0}), frozenset({1}), frozenset({0, 1})])
SENT_AS = st.sampled_from(["cookie", "parameter"])
NO_ORGANIZATIONS = st.sampled_from(
    [
        ("nonexistent", None),
        ("malformed", ("x", 40001)),
        ("malformed", (str(2**63), 40001)),
        ("malformed", ("1&org_id=1", 40002)),
    ]
)


@st.composite
def places(draw: st.DrawFn, name: str, parent: int) -> Place:
    return Place(
        name=name,
        parent=parent,
        restricts_address=draw(OFTEN),
        entries=draw(ALLOW_LISTS),
        requires_mfa=draw(st.booleans()),
        segments=draw(SEGMENTS),
    )


@st.composite
def drawn_deployments(draw: st.DrawFn, number: int) -> DrawnDeployment:
    people = [
        # The same addresses in every deployment: an e-mail address does not show which deployment's user it is.
        Person(
            email=f"user{index}@example.com",
            disabled=draw(SELDOM) and draw(st.booleans()),
            mfa=draw(MFA),
        )
        for index in range(draw(ONE_TO_THREE))
    ]
    organizations = [draw(places(f"organization {number}.{index}", -1)) for index in range(draw(ONE_TO_THREE))]
    workspaces = [
        draw(places(f"workspace {number}.{index}", draw(st.integers(0, len(organizations) - 1))))
        for index in range(draw(st.integers(2, 6)))
    ]
    organization_roles = [
        Role(f"organization role {number}.{index}", permissions, owner)
        for index, (permissions, owner) in enumerate(
            [(("organization:admin", "workspace:member"), None), (("organization:member",), None)]
            + [(("workspace:admin", "audit"), owner) for owner in range(len(organizations))]
        )
    ]
    workspace_roles = [
        Role(f"workspace role {number}.{index}", permissions, owner, workspace)
        for index, (permissions, owner, workspace) in enumerate(
            [(("workspace:member",), None, None), (("a", "workspace:admin"), None, None)]
            + [(("organization:admin",), owner, None) for owner in range(len(organizations))]
            + [((), place.parent, workspace) for workspace, place in enumerate(workspaces)]
        )
    ]
    organization_memberships = []
    workspace_memberships = []
    for person in range(len(people)):
        for organization in range(len(organizations)):
            if not draw(OFTEN):
                continue
            organization_memberships.append(
                Membership(
                    name="",
                    person=person,
                    place=organization,
                    roles=frozenset(
                        index
                        for index, role in enumerate(organization_roles)
                        if role.organization in (None, organization) and draw(SELDOM)
                    ),
                    day=0,
                )
            )
            workspace_memberships += [
                Membership(
                    name=f"membership {number}.{person}.{workspace}",
                    person=person,
                    place=workspace,
                    roles=frozenset(
                        index
                        for index, role in enumerate(workspace_roles)
                        if role.organization in (None, organization)
                        and role.workspace in (None, workspace)
                        and draw(SELDOM)
                    ),
                    day=draw(DAYS),
                )
                for workspace, place in enumerate(workspaces)
                if place.parent == organization and draw(OFTEN)
            ]
    return DrawnDeployment(
        staging=draw(st.booleans()),
        audience=draw(AUDIENCES),
        address_rule_per_organization=draw(SWITCH),
        address_rule_per_workspace=draw(SWITCH),
        mfa_rule_per_organization=draw(SWITCH),
        mfa_rule_per_workspace=draw(SWITCH),
        people=people,
        organizations=organizations,
        workspaces=workspaces,
        organization_roles=organization_roles,
        workspace_roles=workspace_roles,
        organization_memberships=organization_memberships,
        # The order of writing, and so of ids, is not that of the tables above.
        workspace_memberships=draw(st.permutations(workspace_memberships)),
    )


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[DrawnDeployment], list[Request]]:
    """Deployments and requests: for all memberships in each; for an organization of any deployment; for an organization
    that does not exist; and with a token that may be for another host, or sent in a way that the host does not take.
    """
    everything = [draw(drawn_deployments(number)) for number in range(draw(ONE_TO_THREE))]
    indices = st.integers(0, len(everything) - 1)
    asked = [
        Request(
            deployment=number,
            person=draw(st.integers(0, len(drawn.people) - 1)),
            host_of=number,
            address=draw(st.sampled_from(ADDRESSES)),
            sent_as="cookie",
            organization=("absent", None),
        )
        for number, drawn in enumerate(everything)
    ]
    first = asked[draw(indices)]
    owner = first.deployment if draw(OFTEN) else draw(indices)
    organization = draw(st.integers(0, len(everything[owner].organizations) - 1))
    return everything, [
        *asked,
        replace(first, organization=("organization", (owner, organization))),
        replace(first, organization=draw(NO_ORGANIZATIONS)),
        replace(first, host_of=draw(indices), sent_as=draw(SENT_AS)),
    ]
