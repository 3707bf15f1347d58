"""GET /me/workspace-memberships: what is in the answer (decisions 1, 2, 3 and 11)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

from accounts.models import Deployment, User
from memberships.models import (
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import Organization, OrganizationSegment, Segment, UserSegment, Workspace, WorkspaceSegment
from tests.support.api import RFC3339_UTC, ApiClient, memberships
from tests.support.cases import each
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    SegmentFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    join,
    join_organization,
    member_of_new_workspace,
    session_of,
    token_of,
)

MAX_ID = 2**63 - 1
METADATA = {
    "": "",
    "beyond 64 bits": 2**80,
    "below 64 bits": -(2**80),
    "float": 0.1,
    "tiny": 1e-7,
    "integral float": 1.0,
    "truth": [True, False],
    "nested": {"list": [[], {}, [{"deep": ["naïve", "日本", "😀", "\u2028", '"\\/\n']}]]},
}
"""Values that JSON allows and a careless renderer spoils; ``null`` within free metadata is the customer's own."""

NAME = 'Šimůnková & Søn <“日本”> 😀 "\\'


def moment(microsecond: int) -> datetime:
    """A time with an offset, which the answer must not have: 14:30:05 in UTC."""
    return datetime(2024, 2, 29, 20, 0, 5, microsecond, tzinfo=timezone(timedelta(hours=5, minutes=30)))


def times(number: int) -> dict[str, datetime]:
    return {"created_at": moment(2 * number), "updated_at": moment(2 * number + 1)}


def rendered(number: int) -> dict[str, Any]:
    """``times(number)`` as the contract writes them."""
    return {
        "created_at": f"2024-02-29T14:30:05.{2 * number:06}Z",
        "updated_at": f"2024-02-29T14:30:05.{2 * number + 1:06}Z",
    }


def as_text(value: Any) -> str:
    """JSON with sorted keys: unlike ``==``, it tells 1 from 1.0 and from true."""
    return json.dumps(value, sort_keys=True)


def test_every_field_of_the_contract_is_there_with_its_value(db: None) -> None:
    deployment = DeploymentFactory.create(id=MAX_ID)
    user = UserFactory.create(id=MAX_ID - 1, deployment=deployment)
    organization = OrganizationFactory.create(
        id=MAX_ID - 2,
        deployment=deployment,
        name=NAME,
        image_url="https://img.example.com/o.png?a=1&b=2",
        description="Zeile 1\nZeile 2",
        public_metadata=METADATA,
        private_metadata={"o": METADATA},
        enforce_mfa=True,
        enable_ip_restriction=True,
        whitelisted_ips=["203.0.113.0/24", "2001:db8::/32"],
        **times(1),
    )
    workspace = WorkspaceFactory.create(
        id=9007199254740993,  # no double has this value
        organization=organization,
        name="Havn",
        image_url="https://img.example.com/w.png",
        description="Quays",
        public_metadata={"w": METADATA},
        private_metadata={"p": METADATA},
        enforce_2fa=True,
        enable_ip_restriction=True,
        whitelisted_ips=["198.51.100.7"],
        **times(2),
    )
    for number, segment_type, link, member in (
        (6, Segment.Type.ORGANIZATION, OrganizationSegment, {"organization": organization}),
        (5, Segment.Type.ORGANIZATION, OrganizationSegment, {"organization": organization}),
        (8, Segment.Type.WORKSPACE, WorkspaceSegment, {"workspace": workspace}),
        (7, Segment.Type.WORKSPACE, WorkspaceSegment, {"workspace": workspace}),
    ):
        segment = SegmentFactory.create(
            id=number, deployment=deployment, type=segment_type, name=f"Segment {number}", **times(number)
        )
        link.objects.create(segment=segment, **member)
    lead = WorkspaceRoleFactory.create(
        id=4, deployment=deployment, name=NAME, permissions=["b:write", "a:read", ""], **times(4)
    )
    guest = WorkspaceRoleFactory.create(id=3, deployment=deployment, name="Guest", **times(3))
    join_organization(user, organization)
    membership = WorkspaceMembership.objects.create(
        id=2**53 + 3, workspace=workspace, user=user, public_metadata={"m": METADATA}, **times(9)
    )
    for role in (lead, guest):
        WorkspaceMembershipRole.objects.create(membership=membership, role=role)
    join(UserFactory.create(deployment=deployment), workspace)
    join_organization(UserFactory.create(deployment=deployment), organization)
    organization.auto_assigned_workspace = workspace  # last: who joins afterwards is a member of it
    organization.save()
    organization.refresh_from_db()

    (item,) = memberships(user, REMOTE_ADDR="192.0.2.1")

    expected = {
        "id": "9007199254740995",
        "workspace": {
            "id": "9007199254740993",
            "name": "Havn",
            "image_url": "https://img.example.com/w.png",
            "description": "Quays",
            "member_count": 2,
            "public_metadata": {"w": METADATA},
            "private_metadata": {"p": METADATA},
            "enforce_2fa": True,
            "enable_ip_restriction": True,
            "whitelisted_ips": ["198.51.100.7"],
            **rendered(2),
            "segments": [
                {"id": "7", "deployment_id": str(MAX_ID), "name": "Segment 7", "type": "workspace", **rendered(7)},
                {"id": "8", "deployment_id": str(MAX_ID), "name": "Segment 8", "type": "workspace", **rendered(8)},
            ],
        },
        "organization_id": "9223372036854775805",
        "user_id": "9223372036854775806",
        "roles": [
            {"id": "3", "name": "Guest", "permissions": [], **rendered(3)},
            {"id": "4", "name": NAME, "permissions": ["b:write", "a:read", ""], **rendered(4)},
        ],
        "organization": {
            "id": "9223372036854775805",
            "name": NAME,
            "image_url": "https://img.example.com/o.png?a=1&b=2",
            "description": "Zeile 1\nZeile 2",
            "member_count": 3,
            "public_metadata": METADATA,
            "private_metadata": {"o": METADATA},
            "enforce_mfa": True,
            "enable_ip_restriction": True,
            "whitelisted_ips": ["203.0.113.0/24", "2001:db8::/32"],
            "auto_assigned_workspace_id": "9007199254740993",
            "created_at": rendered(1)["created_at"],
            "updated_at": f"{organization.updated_at:%Y-%m-%dT%H:%M:%S.%fZ}",
            "segments": [
                {"id": "5", "deployment_id": str(MAX_ID), "name": "Segment 5", "type": "organization", **rendered(5)},
                {"id": "6", "deployment_id": str(MAX_ID), "name": "Segment 6", "type": "organization", **rendered(6)},
            ],
        },
        "public_metadata": {"m": METADATA},
        **rendered(9),
        "eligibility_restriction": {
            "type": "ip_and_mfa_required",
            "message": (
                f"Set up multi-factor authentication (MFA), which the organization “{NAME}” and the workspace “Havn” "
                f"require, and connect from a network that the organization “{NAME}” and the workspace “Havn” allow."
            ),
        },
    }
    assert as_text(item) == as_text(expected)


def test_an_unset_field_is_empty_and_never_null_or_absent(user: User) -> None:
    membership = member_of_new_workspace(user, name="Bare")
    organization = membership.organization
    (item,) = memberships(user)
    for thing in (item, item["workspace"], item["organization"]):
        for name in ("created_at", "updated_at"):
            assert RFC3339_UTC.fullmatch(thing.pop(name))
    assert as_text(item) == as_text(
        {
            "id": str(membership.pk),
            "workspace": {
                "id": str(membership.workspace_id),
                "name": "Bare",
                "image_url": "",
                "description": "",
                "member_count": 1,
                "public_metadata": {},
                "private_metadata": {},
                "enforce_2fa": False,
                "enable_ip_restriction": False,
                "whitelisted_ips": [],
                "segments": [],
            },
            "organization_id": str(organization.pk),
            "user_id": str(user.pk),
            "roles": [],
            "organization": {
                "id": str(organization.pk),
                "name": organization.name,
                "image_url": "",
                "description": "",
                "member_count": 1,
                "public_metadata": {},
                "private_metadata": {},
                "enforce_mfa": False,
                "enable_ip_restriction": False,
                "whitelisted_ips": [],
                "auto_assigned_workspace_id": "",
                "segments": [],
            },
            "public_metadata": {},
            "eligibility_restriction": {"type": "none", "message": ""},
        }
    )


def test_the_envelope_has_status_message_data_and_the_session_of_the_request(user: User) -> None:
    token = token_of(user)
    session = user.sign_ins.get().session
    type(session).objects.filter(pk=session.pk).update(created_at=moment(0))
    session.refresh_from_db()
    session_of(user)  # that of another browser
    body = ApiClient(user.deployment, token=token).get().json()
    assert body == {
        "status": 200,
        "message": "Your workspace memberships.",
        "data": [],
        "session": {
            "id": str(session.pk),
            "created_at": "2024-02-29T14:30:05.000000Z",
            "updated_at": f"{session.updated_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        },
    }


@each(
    ("joined", "order"),
    [
        ([3, 2, 1], [2, 1, 0]),
        ([1, 2, 3], [0, 1, 2]),
        ([2, 2, 2], [0, 1, 2]),
        ([2, 1, 2], [1, 0, 2]),
        ([2, 2, 1], [2, 0, 1]),
    ],
    ids=["against the ids", "along the ids", "all at once", "two at once", "two at once, last first"],
)
def test_memberships_come_in_the_order_of_joining_then_of_ids(user: User, joined: list[int], order: list[int]) -> None:
    # The rows are written against both orders, so that the table's own order is neither.
    first_id = 1000
    organization = OrganizationFactory.create(deployment=user.deployment)
    join_organization(user, organization)
    for index in (1, 2, 0):
        WorkspaceMembership.objects.create(
            id=first_id + index,
            workspace=WorkspaceFactory.create(organization=organization),
            user=user,
            created_at=moment(joined[index]),
        )
    assert [int(item["id"]) - first_id for item in memberships(user)] == order


def test_two_calls_give_the_same_bytes(user: User) -> None:
    for _ in range(3):
        workspace = member_of_new_workspace(user, public_metadata=METADATA).workspace
        for _ in range(3):
            WorkspaceSegment.objects.create(
                workspace=workspace, segment=SegmentFactory.create(deployment=user.deployment)
            )
    client = ApiClient(user.deployment, user)
    first = client.get().content
    # Rewritten rows lie elsewhere in their tables; the answer must not follow them.
    for model in (WorkspaceMembership, WorkspaceSegment, Segment, Workspace, Organization):
        model._base_manager.order_by("pk")[:1].get().save()
    assert client.get().content == first


def test_only_the_segments_of_the_place_itself_are_listed(user: User) -> None:
    membership = member_of_new_workspace(user)
    sibling = WorkspaceFactory.create(organization=membership.organization)
    other_organization = OrganizationFactory.create(deployment=user.deployment)

    def segment(name: str, type_: Segment.Type) -> Segment:
        return SegmentFactory.create(deployment=user.deployment, name=name, type=type_)

    for name, workspace in (("own workspace", membership.workspace), ("sibling workspace", sibling)):
        WorkspaceSegment.objects.create(workspace=workspace, segment=segment(name, Segment.Type.WORKSPACE))
    for name, organization in (("own organization", membership.organization), ("other", other_organization)):
        OrganizationSegment.objects.create(organization=organization, segment=segment(name, Segment.Type.ORGANIZATION))
    UserSegment.objects.create(user=user, segment=segment("of the user", Segment.Type.USER))
    (item,) = memberships(user)
    assert [found["name"] for found in item["workspace"]["segments"]] == ["own workspace"]
    assert [found["name"] for found in item["organization"]["segments"]] == ["own organization"]


def test_only_the_roles_held_in_this_very_workspace_are_listed(user: User) -> None:
    here, there = member_of_new_workspace(user), member_of_new_workspace(user)
    colleague = join(UserFactory.create(deployment=user.deployment), here.workspace)
    organization_membership = OrganizationMembership.objects.get(user=user, organization=here.organization)
    for membership, name in ((here, "here"), (there, "there"), (colleague, "colleague's")):
        WorkspaceMembershipRole.objects.create(
            membership=membership, role=WorkspaceRoleFactory.create(deployment=user.deployment, name=name)
        )
    WorkspaceRoleFactory.create(deployment=user.deployment, name="held by nobody")
    OrganizationMembershipRole.objects.create(
        membership=organization_membership, role=OrganizationRoleFactory.create(deployment=user.deployment)
    )
    assert {item["id"]: [role["name"] for role in item["roles"]] for item in memberships(user)} == {
        str(here.pk): ["here"],
        str(there.pk): ["there"],
    }


def test_workspaces_that_the_user_is_no_member_of_are_not_listed(user: User) -> None:
    mine = member_of_new_workspace(user)
    colleague = UserFactory.create(deployment=user.deployment)
    join(colleague, WorkspaceFactory.create(organization=mine.organization))
    join_organization(user, member_of_new_workspace(colleague).organization)
    assert [item["id"] for item in memberships(user)] == [str(mine.pk)]


def test_nothing_of_another_deployment_is_listed_for_the_same_address(user: User) -> None:
    mine = member_of_new_workspace(user)
    namesake = UserFactory.create(email=user.email)
    theirs = member_of_new_workspace(namesake)
    assert [item["id"] for item in memberships(user)] == [str(mine.pk)]
    assert [item["id"] for item in memberships(namesake)] == [str(theirs.pk)]


def test_a_member_who_left_no_longer_sees_the_workspace(user: User) -> None:
    left, stayed = member_of_new_workspace(user), member_of_new_workspace(user)
    OrganizationMembership.objects.filter(user=user, organization=left.organization).delete()
    assert [item["id"] for item in memberships(user)] == [str(stayed.pk)]


def test_the_member_counts_are_current(user: User) -> None:
    workspace = member_of_new_workspace(user).workspace
    colleagues = [join(UserFactory.create(deployment=user.deployment), workspace) for _ in range(2)]
    join_organization(UserFactory.create(deployment=user.deployment), workspace.organization)
    colleagues[0].delete()
    (item,) = memberships(user)
    assert (item["workspace"]["member_count"], item["organization"]["member_count"]) == (2, 4)


def test_the_auto_assigned_workspace_is_named_to_members_of_others_too(user: User) -> None:
    organization = member_of_new_workspace(user).organization
    lobby = WorkspaceFactory.create(organization=organization)
    organization.auto_assigned_workspace = lobby
    organization.save()
    (item,) = memberships(user)
    assert item["organization"]["auto_assigned_workspace_id"] == str(lobby.pk)
    lobby.delete()
    (item,) = memberships(user)
    assert item["organization"]["auto_assigned_workspace_id"] == ""


def test_a_user_without_memberships_gets_an_empty_list(deployment: Deployment, user: User) -> None:
    member_of_new_workspace(UserFactory.create(deployment=deployment))
    assert memberships(user) == []


def test_a_visitor_is_asked_to_sign_in(user: User) -> None:
    response = ApiClient(user.deployment).get()
    assert response.status_code == 401
