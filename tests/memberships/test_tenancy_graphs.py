"""Random tenancies, and the whole answer held against a naive reading of the contract.

A graph is drawn as plain data, written to the database in bulk, asked for through the API, and answered a second time
by ``expected_answer``: a handful of loops over the plain data that share no code with the service.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from accounts.models import Authenticator, BackupCode, Deployment, User
from memberships.models import (
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import (
    Organization,
    OrganizationRole,
    OrganizationSegment,
    Segment,
    UserSegment,
    Workspace,
    WorkspaceRole,
    WorkspaceSegment,
)
from tests.support.api import ApiClient
from tests.support.factories import DeploymentFactory, token_of

SHARDS = 2
GRAPHS_PER_SHARD = 50

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
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)


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


# The second answer.


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


def summary(item: dict[str, Any], users: dict[str, str]) -> dict[str, Any]:
    """A membership of the real answer in the same terms; ids are told apart by the names that go with them."""
    workspace, organization = item["workspace"], item["organization"]
    assert item["organization_id"] == organization["id"]
    return {
        "day": (datetime.fromisoformat(item["created_at"]) - FIRST_DAY).days,
        "membership": item["public_metadata"]["name"],
        "user": users[item["user_id"]],
        "workspace": workspace["name"],
        "workspace members": workspace["member_count"],
        "workspace segments": segment_numbers(workspace),
        "workspace secret": workspace["private_metadata"] == {"of": workspace["name"]},
        "organization": organization["name"],
        "organization members": organization["member_count"],
        "organization segments": segment_numbers(organization),
        "organization secret": organization["private_metadata"] == {"of": organization["name"]},
        "roles": [role["name"] for role in item["roles"]],
        "restriction": item["eligibility_restriction"]["type"],
    }


def segment_numbers(place: dict[str, Any]) -> list[int]:
    """The numbers of the segments, each of which is named after its deployment, type and number."""
    deployment = place["name"].split()[1].split(".")[0]
    kind = place["name"].split()[0]
    numbers = []
    for segment in place["segments"]:
        assert segment["type"] == kind
        prefix, _, number = segment["name"].rpartition(".")
        assert prefix == f"{kind} segment {deployment}"
        numbers.append(int(number))
    return numbers


# Writing a graph.


@dataclass(frozen=True)
class Rows:
    """The rows of a deployment that a request refers to, and the tokens of its users who have sent one, by index."""

    deployment: Deployment
    users: list[User]
    organizations: list[Organization]
    tokens: dict[int, str] = field(default_factory=dict)

    def token_of(self, person: int) -> str:
        if person not in self.tokens:
            self.tokens[person] = token_of(self.users[person])
        return self.tokens[person]


def write(number: int, drawn: DrawnDeployment) -> Rows:
    deployment = DeploymentFactory.create(
        mode="staging" if drawn.staging else "production",
        private_metadata_audience=drawn.audience,
        ip_allowlist_per_org_enabled=drawn.address_rule_per_organization,
        ip_allowlist_per_workspace_enabled=drawn.address_rule_per_workspace,
        enforce_mfa_per_org_enabled=drawn.mfa_rule_per_organization,
        enforce_mfa_per_workspace_enabled=drawn.mfa_rule_per_workspace,
    )
    users = User.objects.bulk_create(
        User(deployment=deployment, email=person.email, disabled=person.disabled) for person in drawn.people
    )
    write_mfa(drawn, users)
    organizations = Organization.objects.bulk_create(
        Organization(deployment=deployment, enforce_mfa=place.requires_mfa, **columns(place))
        for place in drawn.organizations
    )
    workspaces = Workspace.objects.bulk_create(
        Workspace(organization=organizations[place.parent], enforce_2fa=place.requires_mfa, **columns(place))
        for place in drawn.workspaces
    )
    write_segments(number, drawn, deployment, users, organizations, workspaces)
    organization_roles = OrganizationRole.objects.bulk_create(
        OrganizationRole(
            deployment=deployment,
            organization=None if role.organization is None else organizations[role.organization],
            name=role.name,
            permissions=list(role.permissions),
        )
        for role in drawn.organization_roles
    )
    workspace_roles = WorkspaceRole.objects.bulk_create(
        WorkspaceRole(
            deployment=deployment,
            organization=None if role.organization is None else organizations[role.organization],
            workspace=None if role.workspace is None else workspaces[role.workspace],
            name=role.name,
            permissions=list(role.permissions),
        )
        for role in drawn.workspace_roles
    )
    organization_memberships = OrganizationMembership.objects.bulk_create(
        OrganizationMembership(
            deployment=deployment, organization=organizations[membership.place], user=users[membership.person]
        )
        for membership in drawn.organization_memberships
    )
    workspace_memberships = WorkspaceMembership.objects.bulk_create(
        WorkspaceMembership(
            organization=workspaces[membership.place].organization,
            workspace=workspaces[membership.place],
            user=users[membership.person],
            public_metadata={"name": membership.name},
            created_at=FIRST_DAY + timedelta(days=membership.day),
        )
        for membership in drawn.workspace_memberships
    )
    OrganizationMembershipRole.objects.bulk_create(
        OrganizationMembershipRole(membership=row, role=organization_roles[role])
        for row, membership in zip(organization_memberships, drawn.organization_memberships, strict=True)
        for role in membership.roles
    )
    WorkspaceMembershipRole.objects.bulk_create(
        WorkspaceMembershipRole(membership=row, role=workspace_roles[role])
        for row, membership in zip(workspace_memberships, drawn.workspace_memberships, strict=True)
        for role in membership.roles
    )
    return Rows(deployment, users, organizations)


def columns(place: Place) -> dict[str, Any]:
    """The columns that organizations and workspaces share."""
    return {
        "name": place.name,
        "private_metadata": {"of": place.name},
        "enable_ip_restriction": place.restricts_address,
        "whitelisted_ips": list(place.entries),
    }


def write_mfa(drawn: DrawnDeployment, users: list[User]) -> None:
    now = timezone.now()
    people = list(zip(drawn.people, users, strict=True))
    Authenticator.objects.bulk_create(
        Authenticator(user=user, secret=b"", confirmed_at=now if person.mfa == "confirmed" else None)
        for person, user in people
        if person.mfa in ("confirmed", "unconfirmed")
    )
    BackupCode.objects.bulk_create(
        BackupCode(user=user, code_hash="", used_at=now if person.mfa == "used code" else None)
        for person, user in people
        if person.mfa in ("backup code", "used code")
    )


def write_segments(
    number: int,
    drawn: DrawnDeployment,
    deployment: Deployment,
    users: list[User],
    organizations: list[Organization],
    workspaces: list[Workspace],
) -> None:
    """Two segments of each type; every user is in both of theirs, which no place may list."""
    segments = Segment.objects.bulk_create(
        Segment(deployment=deployment, name=f"{type_} segment {number}.{index}", type=type_)
        for type_ in ("user", "organization", "workspace")
        for index in range(2)
    )
    UserSegment.objects.bulk_create(
        UserSegment(user=user, segment=segment) for user in users for segment in segments[:2]
    )
    OrganizationSegment.objects.bulk_create(
        OrganizationSegment(organization=row, segment=segments[2 + index])
        for row, place in zip(organizations, drawn.organizations, strict=True)
        for index in place.segments
    )
    WorkspaceSegment.objects.bulk_create(
        WorkspaceSegment(workspace=row, segment=segments[4 + index])
        for row, place in zip(workspaces, drawn.workspaces, strict=True)
        for index in place.segments
    )


def ask(rows: list[Rows], request: Request) -> tuple[int, list[dict[str, Any]]]:
    """The real answer: the code of the error, or 200, and the memberships."""
    token = rows[request.deployment].token_of(request.person)
    kind, asked_for = request.organization
    query = ""
    if kind == "organization":
        owner, index = asked_for
        query = f"org_id={rows[owner].organizations[index].pk}"
    elif kind == "nonexistent":
        query = f"org_id={2**62}"
    elif kind == "malformed":
        query = f"org_id={asked_for[0]}"
    if request.sent_as == "parameter":
        query += f"&__dev_session__={token}"
    client = ApiClient(rows[request.host_of].deployment, token=token if request.sent_as == "cookie" else None)
    # The second time most of it is cached, and asked by the fast path.
    response, again = [client.get(query=query, REMOTE_ADDR=request.address) for _ in range(2)]
    assert (again.status_code, again.content) == (response.status_code, response.content)
    body = response.json()
    if response.status_code != 200:
        return body["errors"][0]["code"], []
    users = {str(user.pk): user.email for user in rows[request.deployment].users}
    return 200, [summary(item, users) for item in body["data"]]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_answer_agrees_with_a_naive_model_of_the_contract(shard: int) -> None:
    """Each graph has a transaction of its own: in a common one, each poll reads past the log rows of all before it."""
    outcomes: Counter[Any] = Counter()

    @seed(shard)
    @settings(
        max_examples=GRAPHS_PER_SHARD,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs())
    def check(graph: tuple[list[DrawnDeployment], list[Request]]) -> None:
        everything, asked = graph
        with transaction.atomic():
            rows = [write(number, drawn) for number, drawn in enumerate(everything)]
            answers = [ask(rows, request) for request in asked]
            transaction.set_rollback(True)
        outcomes["graphs"] += 1
        for request, answer in zip(asked, answers, strict=True):
            code, items = expected_answer(everything, request)
            assert answer == (code, items), request
            outcomes[code] += 1
            outcomes.update(item["restriction"] for item in items)
            outcomes["empty"] += code == 200 and not items
            outcomes["in one organization"] += bool(items) and request.organization[0] == "organization"
            outcomes["several"] += len(items) > 1
            outcomes["at once"] += len({item["day"] for item in items}) < len(items)

    check()
    assert outcomes["graphs"] >= GRAPHS_PER_SHARD
    # Without these the test would be green and say nothing.
    for outcome in (
        *(200, 40001, 40002, 40101, 40102, 40106, 40403),
        *("none", "ip_not_allowed", "mfa_required", "ip_and_mfa_required"),
        *("empty", "in one organization", "several", "at once"),
    ):
        assert outcomes[outcome] > 0, outcome
