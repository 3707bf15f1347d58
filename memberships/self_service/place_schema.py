"""Describes the endpoints of organizations and workspaces for the OpenAPI document.

The two have the same endpoints, but for creation. ``PlaceSchema`` describes them once, for either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from memberships.self_service import serializers as shapes
from memberships.self_service.schema import (
    ORGANIZATION_ID,
    ORGANIZATION_MEMBER_EXAMPLE,
    TO_ADMINISTRATORS,
    WORKSPACE_MEMBER_EXAMPLE,
    in_organization,
    in_workspace,
    success,
)
from memberships.serializers import (
    OrganizationRoleSerializer,
    OrganizationSerializer,
    WorkspaceRoleSerializer,
    WorkspaceSerializer,
)

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
_META = {"total": 57, "page": 1, "limit": 10}
_FILE = "the bytes of a picture"
_ROLES_CHANGED = "The member's roles are changed."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """The words, shapes and examples in which the endpoints of organizations and of workspaces differ."""

    place: str
    """ "Organization" or "Workspace"."""
    a_place: str
    door: Callable[..., Any]
    id: OpenApiParameter
    to_administrators: str
    to_members: str
    whose_roles: str
    own_roles: str
    """The setting that allows them."""
    deleting: str
    leaving: str
    removing: str
    taking_role: str
    fields: Any
    form: Any
    updates: Mapping[str, Any]
    shown: Any
    example: Mapping[str, Any]
    role: Any
    roles: list[Any]
    own_role: Mapping[str, Any]
    members: Any
    member: Mapping[str, Any]
    changed: Callable[[str], dict[str, Any]]
    """The options of changes of a member, by their message."""


class PlaceSchema:
    """The descriptions of the endpoints of organizations, or of workspaces."""

    def __init__(self, words: _Words) -> None:
        self._words = words
        place, a_place, to_administrators = words.place, words.a_place, words.to_administrators
        role = envelope(f"{place}RoleResponse", words.role())
        self.update = self._endpoint(
            f"Update{place}",
            f"Change {a_place}",
            method="POST",
            description=f"Only the fields that are sent. {to_administrators}",
            request=body_with_file(words.fields, words.form, words.updates, {"image": _FILE}),
            answers=envelope(f"{place}Response", words.shown()),
            message=f"The {place.lower()} is updated.",
            data=words.example,
            fails_with=[Problem.INVALID_FIELD],
        )
        self.delete = self._endpoint(
            f"Delete{place}",
            f"Delete {a_place}",
            description=f"{words.deleting} {to_administrators}",
            **success(f"The {place.lower()} is deleted."),
        )
        self.leave = self._endpoint(
            f"Leave{place}",
            f"Leave {a_place}",
            description=words.leaving,
            fails_with=self._costs_an_administrator,
            **success(f"You have left the {place.lower()}."),
        )
        self.members = self._endpoint(
            f"Get{place}Members",
            f"List the members of {a_place}",
            _PAGE,
            description=f"In the order of joining. {words.to_members}",
            answers=envelope(f"{place}MembersResponse", words.members()),
            message="The members.",
            data={"data": [words.member], "meta": _META},
            fails_with=[Problem.INVALID_PARAMETER],
        )
        self.remove_member = self._endpoint(
            f"Remove{place}Member",
            f"Remove a member from {a_place}",
            [_MEMBER_ID],
            description=f"{words.removing} {to_administrators}",
            fails_with=[Problem.NOT_FOUND, *self._costs_an_administrator],
            **words.changed("The member is removed."),
        )
        self.add_member_role = self._endpoint(
            f"Add{place}MemberRole",
            f"Give a member of {a_place} a role",
            [_MEMBER_ID, _ROLE_ID],
            description=f"One that allows no more than the administrator may do. {to_administrators}",
            fails_with=[Problem.NOT_FOUND],
            **words.changed(_ROLES_CHANGED),
        )
        self.remove_member_role = self._endpoint(
            f"Remove{place}MemberRole",
            f"Take a role from a member of {a_place}",
            [_MEMBER_ID, _ROLE_ID],
            description=f"{words.taking_role}{to_administrators}",
            fails_with=[Problem.NOT_FOUND, *self._costs_an_administrator],
            **words.changed(_ROLES_CHANGED),
        )
        self.roles = self._endpoint(
            f"Get{place}Roles",
            f"List the roles that can be given in {a_place}",
            description=f"{words.whose_roles} To all members.",
            answers=envelope(f"{place}RolesResponse", words.role(many=True)),
            message="The roles.",
            data=[*words.roles, words.own_role],
        )
        self.create_role = self._endpoint(
            f"Create{place}Role",
            f"Make a role of {a_place}'s own",
            method="POST",
            description=(
                f"If the deployment lets them (`{words.own_roles}`), with permissions that it offers "
                f"(`{place.lower()}_permissions`) or that the administrator holds. {to_administrators}"
            ),
            request=shapes.NewRoleSerializer,
            requests={"a role": {"name": words.own_role["name"], "permissions": words.own_role["permissions"][:1]}},
            answers=role,
            message="The role is created.",
            data=words.own_role,
            fails_with=[Problem.INVALID_FIELD, Problem.LIMIT_REACHED],
        )
        self.remove_role = self._endpoint(
            "RemoveOrganizationRole" if place == "Organization" else "DeleteWorkspaceRole",
            f"Remove a role of {a_place}'s own",
            [_ROLE_ID],
            method="POST",
            description=f"One that no member holds. {to_administrators}",
            answers=role,
            message="The role is removed.",
            data=words.own_role,
            fails_with=[Problem.NOT_FOUND, Problem.ROLE_IN_USE],
        )

    def _endpoint(
        self, operation_id: str, summary: str, parameters: list[OpenApiParameter] | None = None, **options: Any
    ) -> Callable[..., Any]:
        described: Callable[..., Any] = self._words.door(
            operation_id, summary, parameters=[self._words.id, *(parameters or [])], **options
        )
        return described

    @property
    def _costs_an_administrator(self) -> list[Problem]:
        return [Problem.LAST_ADMINISTRATOR] if self._words.place == "Organization" else []


_ORGANIZATION_MEMBER = envelope("OrganizationMemberResponse", shapes.OrganizationMemberSerializer())

ORGANIZATIONS = PlaceSchema(
    _Words(
        place="Organization",
        a_place="an organization",
        door=in_organization,
        id=ORGANIZATION_ID,
        to_administrators=TO_ADMINISTRATORS,
        to_members="To all members.",
        whose_roles="The deployment's and the organization's own.",
        own_roles="custom_org_role_enabled",
        deleting="With all that it has, if the deployment lets them (`allow_org_deletion`).",
        leaving="And its workspaces. Its last administrator cannot leave.",
        removing="And from its workspaces. The last administrator stays.",
        taking_role="The last administrator keeps theirs. ",
        fields=shapes.UpdatedOrganizationSerializer,
        form=shapes.UpdatedOrganizationFormSerializer,
        updates={
            "another name": {"name": "Nordlys"},
            "an allow-list": {
                "enable_ip_restriction": True,
                "whitelisted_ips": ["198.51.100.0/24", "2001:db8:40::/48"],
            },
            "an auto-assigned workspace": {"auto_assigned_workspace_id": "311"},
        },
        shown=OrganizationSerializer,
        example=ORGANIZATION_EXAMPLE,
        role=OrganizationRoleSerializer,
        roles=ORGANIZATION_MEMBERSHIP_EXAMPLE["roles"],
        own_role=ORGANIZATION_MEMBERSHIP_EXAMPLE["roles"][0] | {"id": "77", "organization_id": "92", "name": "Owner"},
        members=shapes.OrganizationMembersSerializer,
        member=ORGANIZATION_MEMBER_EXAMPLE,
        changed=lambda message: {
            "method": "POST",
            "answers": _ORGANIZATION_MEMBER,
            "message": message,
            "data": ORGANIZATION_MEMBER_EXAMPLE,
        },
    )
)
WORKSPACES = PlaceSchema(
    _Words(
        place="Workspace",
        a_place="a workspace",
        door=in_workspace,
        id=id_in_path("The id of the workspace."),
        to_administrators="Only to administrators of the workspace or its organization.",
        to_members="To all members, and to administrators of the organization.",
        whose_roles="The deployment's, the organization's and the workspace's own.",
        own_roles="custom_workspace_role_enabled",
        deleting="If the deployment lets them (`allow_workspace_deletion`).",
        leaving="The user stays in the organization.",
        removing="They stay in the organization.",
        taking_role="",
        fields=shapes.UpdatedWorkspaceSerializer,
        form=shapes.UpdatedWorkspaceFormSerializer,
        updates={"another name": {"name": "Field Operations North"}, "MFA for all": {"enforce_2fa": True}},
        shown=WorkspaceSerializer,
        example=WORKSPACE_EXAMPLE,
        role=WorkspaceRoleSerializer,
        roles=WORKSPACE_MEMBERSHIP_EXAMPLE["roles"],
        own_role=WORKSPACE_MEMBERSHIP_EXAMPLE["roles"][0] | {"id": "78", "name": "Guest"},
        members=shapes.WorkspaceMembersSerializer,
        member=WORKSPACE_MEMBER_EXAMPLE,
        changed=success,
    )
)

create_organization = endpoint(
    "CreateOrganization",
    "Create an organization",
    tag="Organizations",
    method="POST",
    description="If the deployment lets users (`allow_users_to_create_orgs`). The user becomes its administrator.",
    request=body_with_file(
        shapes.NewOrganizationSerializer,
        shapes.NewOrganizationFormSerializer,
        {"an organization": {"name": "Nordlys Logistikk", "description": "Freight by rail and sea"}},
        {"name": "Nordlys Logistikk", "image": _FILE},
    ),
    answers=envelope("CreateOrganizationResponse", shapes.CreatedOrganizationSerializer()),
    examples={
        "done": enveloped(
            {"organization": ORGANIZATION_EXAMPLE, "membership": ORGANIZATION_MEMBER_EXAMPLE},
            "The organization is created.",
        )
    },
    fails_with=[
        *NEEDING_A_SESSION,
        Problem.INVALID_FIELD,
        Problem.FORBIDDEN,
        Problem.LIMIT_REACHED,
        Problem.TOO_MANY_REQUESTS,
    ],
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
        shapes.NewWorkspaceSerializer,
        shapes.NewWorkspaceFormSerializer,
        {"a workspace": {"organization_id": "92", "name": "Field Operations", "description": "Crews and shifts"}},
        {"organization_id": "92", "name": "Field Operations", "image": _FILE},
    ),
    answers=envelope("CreateWorkspaceResponse", shapes.CreatedWorkspaceSerializer()),
    message="The workspace is created.",
    data={"workspace": WORKSPACE_EXAMPLE, "membership": WORKSPACE_MEMBER_EXAMPLE},
    fails_with=[Problem.INVALID_FIELD, Problem.LIMIT_REACHED],
)
