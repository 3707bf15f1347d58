"""Describes the endpoints of organizations and workspaces for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from drf_spectacular.utils import OpenApiParameter

from api.errors import Problem
from api.openapi import NEEDING_A_SESSION, body_with_file, endpoint, envelope, enveloped, id_in_path
from memberships.schema import (
    ORGANIZATION_EXAMPLE,
    ORGANIZATION_MEMBERSHIP_EXAMPLE,
    WORKSPACE_EXAMPLE,
    WORKSPACE_MEMBERSHIP_EXAMPLE,
)
from memberships.self_service.serializers import (
    CreatedOrganizationSerializer,
    CreatedWorkspaceSerializer,
    NewOrganizationFormSerializer,
    NewOrganizationSerializer,
    NewRoleSerializer,
    NewWorkspaceFormSerializer,
    NewWorkspaceSerializer,
    OrganizationMemberSerializer,
    OrganizationMembersSerializer,
    SuccessSerializer,
    UpdatedOrganizationFormSerializer,
    UpdatedOrganizationSerializer,
    UpdatedWorkspaceFormSerializer,
    UpdatedWorkspaceSerializer,
    WorkspaceMembersSerializer,
)
from memberships.serializers import (
    OrganizationRoleSerializer,
    OrganizationSerializer,
    WorkspaceRoleSerializer,
    WorkspaceSerializer,
)

_ORGANIZATION_ID = id_in_path("The id of the organization.")
_WORKSPACE_ID = id_in_path("The id of the workspace.")
_MEMBER_ID = id_in_path("The id of the membership.", "member_id")
_ROLE_ID = id_in_path("The id of the role.", "role_id")
_PAGE = [
    OpenApiParameter("page", {"type": "string", "pattern": "^(0*([1-9][0-9]{0,5}|1000000))?$"}, description="From 1."),
    OpenApiParameter(
        "limit",
        {"type": "string", "pattern": "^(0*([1-9][0-9]?|100))?$"},
        description="Members on a page, at most 100; 10 if it is left out.",
    ),
    OpenApiParameter(
        "search",
        {"type": "string", "maxLength": 100},
        description=(
            "The beginning of a word, or of several, in a name, a username or the primary e-mail address. "
            "It finds and counts 500 members at most."
        ),
    ),
]
_FILE = "the bytes of a picture"
_TO_ADMINISTRATORS = "Only to administrators of the organization."
_TO_WORKSPACE_ADMINISTRATORS = "Only to administrators of the workspace or its organization."

SUCCESS = envelope("SuccessResponse", SuccessSerializer())
ORGANIZATION_MEMBER = envelope("OrganizationMemberResponse", OrganizationMemberSerializer())
_ORGANIZATION = envelope("OrganizationResponse", OrganizationSerializer())
_WORKSPACE = envelope("WorkspaceResponse", WorkspaceSerializer())
_ORGANIZATION_ROLE = envelope("OrganizationRoleResponse", OrganizationRoleSerializer())
_WORKSPACE_ROLE = envelope("WorkspaceRoleResponse", WorkspaceRoleSerializer())

_MEMBER = {name: value for name, value in ORGANIZATION_MEMBERSHIP_EXAMPLE.items() if name != "eligibility_restriction"}
_IN_WORKSPACE = {
    name: value for name, value in WORKSPACE_MEMBERSHIP_EXAMPLE.items() if name != "eligibility_restriction"
} | {"user": ORGANIZATION_MEMBERSHIP_EXAMPLE["user"]}
_META = {"total": 57, "page": 1, "limit": 10}
_OWN_ROLE = ORGANIZATION_MEMBERSHIP_EXAMPLE["roles"][0] | {"id": "77", "organization_id": "92", "name": "Owner"}
_OWN_WORKSPACE_ROLE = WORKSPACE_MEMBERSHIP_EXAMPLE["roles"][0] | {"id": "78", "name": "Guest"}


def in_organization(
    operation_id: str, summary: str, *, message: str, data: Any, fails_with: Iterable[Problem] = (), **options: Any
) -> Callable[..., Any]:
    """An endpoint behind ``standing.in_organization``, with the errors of that door."""
    return _place(
        operation_id, summary, Problem.NOT_A_MEMBER, message, data, fails_with, tag="Organizations", **options
    )


def in_workspace(
    operation_id: str, summary: str, *, message: str, data: Any, fails_with: Iterable[Problem] = (), **options: Any
) -> Callable[..., Any]:
    """An endpoint behind ``standing.in_workspace``, with the errors of that door."""
    return _place(operation_id, summary, Problem.NOT_FOUND, message, data, fails_with, tag="Workspaces", **options)


def _place(
    operation_id: str,
    summary: str,
    strange: Problem,
    message: str,
    data: Any,
    fails_with: Iterable[Problem],
    **options: Any,
) -> Callable[..., Any]:
    writes = options.get("method") == "POST"
    problems = {strange, Problem.FORBIDDEN, Problem.ENTRY_RESTRICTED, *fails_with}
    if writes:
        problems.add(Problem.TOO_MANY_REQUESTS)
    return endpoint(
        operation_id,
        summary,
        examples={"done" if writes else "an answer": enveloped(data, message)},
        fails_with=[*NEEDING_A_SESSION, *sorted(problems, key=lambda problem: problem.code)],
        **options,
    )


def _success(message: str) -> dict[str, Any]:
    return {"success": True, "message": message}


def _done(
    door: Callable[..., Any], operation_id: str, summary: str, message: str, **options: Any
) -> Callable[..., Any]:
    described: Callable[..., Any] = door(
        operation_id, summary, message=message, data=_success(message), answers=SUCCESS, method="POST", **options
    )
    return described


create_organization = endpoint(
    "CreateOrganization",
    "Create an organization",
    tag="Organizations",
    method="POST",
    description="If the deployment lets users (`allow_users_to_create_orgs`). The user becomes its administrator.",
    request=body_with_file(
        NewOrganizationSerializer,
        NewOrganizationFormSerializer,
        {"an organization": {"name": "Nordlys Logistikk", "description": "Freight by rail and sea"}},
        {"name": "Nordlys Logistikk", "image": _FILE},
    ),
    answers=envelope("CreateOrganizationResponse", CreatedOrganizationSerializer()),
    examples={
        "done": enveloped({"organization": ORGANIZATION_EXAMPLE, "membership": _MEMBER}, "The organization is created.")
    },
    fails_with=[
        *NEEDING_A_SESSION,
        Problem.INVALID_FIELD,
        Problem.FORBIDDEN,
        Problem.LIMIT_REACHED,
        Problem.TOO_MANY_REQUESTS,
    ],
)
update_organization = in_organization(
    "UpdateOrganization",
    "Change an organization",
    description=f"Only the fields that are sent. {_TO_ADMINISTRATORS}",
    method="POST",
    parameters=[_ORGANIZATION_ID],
    request=body_with_file(
        UpdatedOrganizationSerializer,
        UpdatedOrganizationFormSerializer,
        {
            "another name": {"name": "Nordlys"},
            "an allow-list": {
                "enable_ip_restriction": True,
                "whitelisted_ips": ["198.51.100.0/24", "2001:db8:40::/48"],
            },
            "an auto-assigned workspace": {"auto_assigned_workspace_id": "311"},
        },
        {"image": _FILE},
    ),
    answers=_ORGANIZATION,
    message="The organization is updated.",
    data=ORGANIZATION_EXAMPLE,
    fails_with=[Problem.INVALID_FIELD],
)
delete_organization = _done(
    in_organization,
    "DeleteOrganization",
    "Delete an organization",
    "The organization is deleted.",
    description=f"With all that it has, if the deployment lets them (`allow_org_deletion`). {_TO_ADMINISTRATORS}",
    parameters=[_ORGANIZATION_ID],
)
leave_organization = _done(
    in_organization,
    "LeaveOrganization",
    "Leave an organization",
    "You have left the organization.",
    description="And its workspaces. Its last administrator cannot leave.",
    parameters=[_ORGANIZATION_ID],
    fails_with=[Problem.LAST_ADMINISTRATOR],
)
organization_members = in_organization(
    "GetOrganizationMembers",
    "List the members of an organization",
    description="In the order of joining. To all members.",
    parameters=[_ORGANIZATION_ID, *_PAGE],
    answers=envelope("OrganizationMembersResponse", OrganizationMembersSerializer()),
    message="The members.",
    data={"data": [_MEMBER], "meta": _META},
    fails_with=[Problem.INVALID_PARAMETER],
)
remove_organization_member = in_organization(
    "RemoveOrganizationMember",
    "Remove a member from an organization",
    description=f"And from its workspaces. The last administrator stays. {_TO_ADMINISTRATORS}",
    method="POST",
    parameters=[_ORGANIZATION_ID, _MEMBER_ID],
    answers=ORGANIZATION_MEMBER,
    message="The member is removed.",
    data=_MEMBER,
    fails_with=[Problem.NOT_FOUND, Problem.LAST_ADMINISTRATOR],
)
add_organization_member_role = in_organization(
    "AddOrganizationMemberRole",
    "Give a member of an organization a role",
    description=f"One that allows no more than the administrator may do. {_TO_ADMINISTRATORS}",
    method="POST",
    parameters=[_ORGANIZATION_ID, _MEMBER_ID, _ROLE_ID],
    answers=ORGANIZATION_MEMBER,
    message="The member's roles are changed.",
    data=_MEMBER,
    fails_with=[Problem.NOT_FOUND],
)
remove_organization_member_role = in_organization(
    "RemoveOrganizationMemberRole",
    "Take a role from a member of an organization",
    description=f"The last administrator keeps theirs. {_TO_ADMINISTRATORS}",
    method="POST",
    parameters=[_ORGANIZATION_ID, _MEMBER_ID, _ROLE_ID],
    answers=ORGANIZATION_MEMBER,
    message="The member's roles are changed.",
    data=_MEMBER,
    fails_with=[Problem.NOT_FOUND, Problem.LAST_ADMINISTRATOR],
)
organization_roles = in_organization(
    "GetOrganizationRoles",
    "List the roles that can be given in an organization",
    description="The deployment's and the organization's own. To all members.",
    parameters=[_ORGANIZATION_ID],
    answers=envelope("OrganizationRolesResponse", OrganizationRoleSerializer(many=True)),
    message="The roles.",
    data=[*ORGANIZATION_MEMBERSHIP_EXAMPLE["roles"], _OWN_ROLE],
)
create_organization_role = in_organization(
    "CreateOrganizationRole",
    "Make a role of an organization's own",
    description=(
        "If the deployment lets them (`custom_org_role_enabled`), with permissions that it offers "
        f"(`organization_permissions`) or that the administrator holds. {_TO_ADMINISTRATORS}"
    ),
    method="POST",
    parameters=[_ORGANIZATION_ID],
    request=NewRoleSerializer,
    requests={"a role": {"name": "Owner", "permissions": ["organization:admin"]}},
    answers=_ORGANIZATION_ROLE,
    message="The role is created.",
    data=_OWN_ROLE,
    fails_with=[Problem.INVALID_FIELD, Problem.LIMIT_REACHED],
)
remove_organization_role = in_organization(
    "RemoveOrganizationRole",
    "Remove a role of an organization's own",
    description=f"One that no member holds. {_TO_ADMINISTRATORS}",
    method="POST",
    parameters=[_ORGANIZATION_ID, _ROLE_ID],
    answers=_ORGANIZATION_ROLE,
    message="The role is removed.",
    data=_OWN_ROLE,
    fails_with=[Problem.NOT_FOUND, Problem.ROLE_IN_USE],
)

create_workspace = in_organization(
    "CreateWorkspace",
    "Create a workspace",
    description=(
        "Of an organization that the user administers, as many as the deployment lets them "
        "(`workspaces_per_org_count`). The user becomes its administrator."
    ),
    method="POST",
    request=body_with_file(
        NewWorkspaceSerializer,
        NewWorkspaceFormSerializer,
        {"a workspace": {"organization_id": "92", "name": "Field Operations", "description": "Crews and shifts"}},
        {"organization_id": "92", "name": "Field Operations", "image": _FILE},
    ),
    answers=envelope("CreateWorkspaceResponse", CreatedWorkspaceSerializer()),
    message="The workspace is created.",
    data={"workspace": WORKSPACE_EXAMPLE, "membership": _IN_WORKSPACE},
    fails_with=[Problem.INVALID_FIELD, Problem.LIMIT_REACHED],
)
update_workspace = in_workspace(
    "UpdateWorkspace",
    "Change a workspace",
    description=f"Only the fields that are sent. {_TO_WORKSPACE_ADMINISTRATORS}",
    method="POST",
    parameters=[_WORKSPACE_ID],
    request=body_with_file(
        UpdatedWorkspaceSerializer,
        UpdatedWorkspaceFormSerializer,
        {"another name": {"name": "Field Operations North"}, "MFA for all": {"enforce_2fa": True}},
        {"image": _FILE},
    ),
    answers=_WORKSPACE,
    message="The workspace is updated.",
    data=WORKSPACE_EXAMPLE,
    fails_with=[Problem.INVALID_FIELD],
)
delete_workspace = _done(
    in_workspace,
    "DeleteWorkspace",
    "Delete a workspace",
    "The workspace is deleted.",
    description=f"If the deployment lets them (`allow_workspace_deletion`). {_TO_WORKSPACE_ADMINISTRATORS}",
    parameters=[_WORKSPACE_ID],
)
leave_workspace = _done(
    in_workspace,
    "LeaveWorkspace",
    "Leave a workspace",
    "You have left the workspace.",
    description="The user stays in the organization.",
    parameters=[_WORKSPACE_ID],
)
workspace_members = in_workspace(
    "GetWorkspaceMembers",
    "List the members of a workspace",
    description="In the order of joining. To all members, and to administrators of the organization.",
    parameters=[_WORKSPACE_ID, *_PAGE],
    answers=envelope("WorkspaceMembersResponse", WorkspaceMembersSerializer()),
    message="The members.",
    data={"data": [_IN_WORKSPACE], "meta": _META},
    fails_with=[Problem.INVALID_PARAMETER],
)
remove_workspace_member = _done(
    in_workspace,
    "RemoveWorkspaceMember",
    "Remove a member from a workspace",
    "The member is removed.",
    description=f"They stay in the organization. {_TO_WORKSPACE_ADMINISTRATORS}",
    parameters=[_WORKSPACE_ID, _MEMBER_ID],
)
add_workspace_member_role = _done(
    in_workspace,
    "AddWorkspaceMemberRole",
    "Give a member of a workspace a role",
    "The member's roles are changed.",
    description=f"One that allows no more than the administrator may do. {_TO_WORKSPACE_ADMINISTRATORS}",
    parameters=[_WORKSPACE_ID, _MEMBER_ID, _ROLE_ID],
)
remove_workspace_member_role = _done(
    in_workspace,
    "RemoveWorkspaceMemberRole",
    "Take a role from a member of a workspace",
    "The member's roles are changed.",
    description=_TO_WORKSPACE_ADMINISTRATORS,
    parameters=[_WORKSPACE_ID, _MEMBER_ID, _ROLE_ID],
)
workspace_roles = in_workspace(
    "GetWorkspaceRoles",
    "List the roles that can be given in a workspace",
    description="The deployment's, the organization's and the workspace's own. To all members.",
    parameters=[_WORKSPACE_ID],
    answers=envelope("WorkspaceRolesResponse", WorkspaceRoleSerializer(many=True)),
    message="The roles.",
    data=[*WORKSPACE_MEMBERSHIP_EXAMPLE["roles"], _OWN_WORKSPACE_ROLE],
)
create_workspace_role = in_workspace(
    "CreateWorkspaceRole",
    "Make a role of a workspace's own",
    description=(
        "If the deployment lets them (`custom_workspace_role_enabled`), with permissions that it offers "
        f"(`workspace_permissions`) or that the administrator holds. {_TO_WORKSPACE_ADMINISTRATORS}"
    ),
    method="POST",
    parameters=[_WORKSPACE_ID],
    request=NewRoleSerializer,
    requests={"a role": {"name": "Guest", "permissions": ["workspace:member"]}},
    answers=_WORKSPACE_ROLE,
    message="The role is created.",
    data=_OWN_WORKSPACE_ROLE,
    fails_with=[Problem.INVALID_FIELD, Problem.LIMIT_REACHED],
)
delete_workspace_role = in_workspace(
    "DeleteWorkspaceRole",
    "Remove a role of a workspace's own",
    description=f"One that no member holds. {_TO_WORKSPACE_ADMINISTRATORS}",
    method="POST",
    parameters=[_WORKSPACE_ID, _ROLE_ID],
    answers=_WORKSPACE_ROLE,
    message="The role is removed.",
    data=_OWN_WORKSPACE_ROLE,
    fails_with=[Problem.ROLE_IN_USE],
)
