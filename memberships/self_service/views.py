"""The endpoints of organizations and workspaces that their own administrators run."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from django.http import HttpResponse
from rest_framework.request import Request

from accounts import throttling
from accounts.sessions import SignedIn
from accounts.viewsets import SessionViewSet
from api.answers import answer
from api.client_address import client_address_of
from api.errors import ApiError, Problem
from api.requests import body_of, id_field, is_storable, number_parameter, single_parameter
from memberships import standing as standings
from memberships.permissions import Action
from memberships.self_service import members, places, roles, schema, shown
from memberships.standing import Standing

MAX_PAGE = 1_000_000
MAX_LIMIT = 100
LIMIT = 10
MAX_SEARCH = 100


class PlaceViewSet(SessionViewSet):
    """The base of endpoints about organizations and workspaces: each begins at the door, and each change counts."""

    def caller(self, request: Request) -> SignedIn:
        """The signed-in user; raises ``ApiError`` (429) for too many changes."""
        caller = cast(SignedIn, request.auth)
        if request.method not in ("GET", "HEAD"):
            throttling.count_use(
                throttling.change_limits(caller.deployment, account=caller.user, address=client_address_of(request))
            )
        return caller

    def in_organization(self, request: Request, organization_id: int, action: Action) -> Standing:
        address = client_address_of(request)
        return standings.in_organization(self.caller(request), organization_id, action, address=address)

    def in_workspace(self, request: Request, workspace_id: int, action: Action) -> Standing:
        address = client_address_of(request)
        return standings.in_workspace(self.caller(request), workspace_id, action, address=address)

    def answer(self, request: Request, message: str, data: Any) -> HttpResponse:
        return answer(request, message=message, data=data, session=cast(SignedIn, request.auth).session_summary)

    def done(self, request: Request, message: str) -> HttpResponse:
        return self.answer(request, message, {"success": True, "message": message})


class OrganizationViewSet(PlaceViewSet):
    """Organizations."""

    @schema.create_organization
    def create(self, request: Request) -> HttpResponse:
        new = places.create_organization(self.caller(request), body_of(request))
        (membership,) = shown.organization_members(new, [new.organization_membership_id])
        data = {"organization": membership["organization"], "membership": membership}
        return self.answer(request, "The organization is created.", data)

    @schema.update_organization
    def update(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_organization(request, id, Action.UPDATE_ORGANIZATION)
        places.update_organization(standing, body_of(request))
        return self.answer(request, "The organization is updated.", shown.organization(standing))

    @schema.delete_organization
    def delete(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        places.delete_organization(self.in_organization(request, id, Action.DELETE_ORGANIZATION))
        return self.done(request, "The organization is deleted.")

    @schema.leave_organization
    def leave(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        places.leave_organization(self.in_organization(request, id, Action.LEAVE_ORGANIZATION))
        return self.done(request, "You have left the organization.")


class OrganizationMemberViewSet(PlaceViewSet):
    """The members of an organization."""

    @schema.organization_members
    def list(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        query = page_query(request)
        standing = self.in_organization(request, id, Action.LIST_ORGANIZATION_MEMBERS)
        ids, total = members.page_of(standing, **query._asdict())
        return self.answer(request, "The members.", page(query, total, shown.organization_members(standing, ids)))

    @schema.remove_organization_member
    def remove(self, request: Request, id: int, member_id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_organization(request, id, Action.REMOVE_ORGANIZATION_MEMBERS)
        membership = members.member(standing, member_id)
        (data,) = shown.organization_members(standing, [membership.pk])
        members.remove(standing, membership)
        return self.answer(request, "The member is removed.", data)

    @schema.add_organization_member_role
    def add_role(self, request: Request, id: int, member_id: int, role_id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_organization(request, id, Action.CHANGE_ORGANIZATION_MEMBERS_ROLES)
        membership = members.member(standing, member_id)
        members.add_role(standing, membership, role_id)
        return self._changed(request, standing, membership)

    @schema.remove_organization_member_role
    def remove_role(self, request: Request, id: int, member_id: int, role_id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_organization(request, id, Action.CHANGE_ORGANIZATION_MEMBERS_ROLES)
        membership = members.member(standing, member_id)
        members.remove_role(standing, membership, role_id)
        return self._changed(request, standing, membership)

    def _changed(self, request: Request, standing: Standing, membership: Any) -> HttpResponse:
        (data,) = shown.organization_members(standing, [membership.pk])
        return self.answer(request, "The member's roles are changed.", data)


class OrganizationRoleViewSet(PlaceViewSet):
    """The roles of an organization."""

    @schema.organization_roles
    def list(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_organization(request, id, Action.LIST_ORGANIZATION_ROLES)
        return self.answer(request, "The roles.", roles.roles(standing))

    @schema.create_organization_role
    def create(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_organization(request, id, Action.CHANGE_ORGANIZATION_ROLES)
        return self.answer(request, "The role is created.", roles.shown(roles.create(standing, body_of(request))))

    @schema.remove_organization_role
    def remove(self, request: Request, id: int, role_id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_organization(request, id, Action.CHANGE_ORGANIZATION_ROLES)
        return self.answer(request, "The role is removed.", roles.shown(roles.remove(standing, role_id)))


class WorkspaceViewSet(PlaceViewSet):
    """Workspaces."""

    @schema.create_workspace
    def create(self, request: Request) -> HttpResponse:
        organization_id = id_field(body_of(request), "organization_id")
        if organization_id is None:
            raise ApiError(Problem.INVALID_FIELD, "organization_id must be the id of the workspace's organization.")
        standing = self.in_organization(request, organization_id, Action.CREATE_WORKSPACE)
        new = places.create_workspace(standing, body_of(request))
        assert new.workspace_membership_id is not None  # noqa: S101
        (membership,) = shown.workspace_members(new, [new.workspace_membership_id])
        data = {"workspace": membership["workspace"], "membership": membership}
        return self.answer(request, "The workspace is created.", data)

    @schema.update_workspace
    def update(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_workspace(request, id, Action.UPDATE_WORKSPACE)
        places.update_workspace(standing, body_of(request))
        return self.answer(request, "The workspace is updated.", shown.workspace(standing))

    @schema.delete_workspace
    def delete(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        places.delete_workspace(self.in_workspace(request, id, Action.DELETE_WORKSPACE))
        return self.done(request, "The workspace is deleted.")

    @schema.leave_workspace
    def leave(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        places.leave_workspace(self.in_workspace(request, id, Action.LEAVE_WORKSPACE))
        return self.done(request, "You have left the workspace.")


class WorkspaceMemberViewSet(PlaceViewSet):
    """The members of a workspace."""

    @schema.workspace_members
    def list(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        query = page_query(request)
        standing = self.in_workspace(request, id, Action.LIST_WORKSPACE_MEMBERS)
        ids, total = members.page_of(standing, **query._asdict())
        return self.answer(request, "The members.", page(query, total, shown.workspace_members(standing, ids)))

    @schema.remove_workspace_member
    def remove(self, request: Request, id: int, member_id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_workspace(request, id, Action.REMOVE_WORKSPACE_MEMBERS)
        members.remove(standing, members.member(standing, member_id))
        return self.done(request, "The member is removed.")

    @schema.add_workspace_member_role
    def add_role(self, request: Request, id: int, member_id: int, role_id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_workspace(request, id, Action.CHANGE_WORKSPACE_MEMBERS_ROLES)
        members.add_role(standing, members.member(standing, member_id), role_id)
        return self.done(request, "The member's roles are changed.")

    @schema.remove_workspace_member_role
    def remove_role(self, request: Request, id: int, member_id: int, role_id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_workspace(request, id, Action.CHANGE_WORKSPACE_MEMBERS_ROLES)
        members.remove_role(standing, members.member(standing, member_id), role_id)
        return self.done(request, "The member's roles are changed.")


class WorkspaceRoleViewSet(PlaceViewSet):
    """The roles of a workspace."""

    @schema.workspace_roles
    def list(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_workspace(request, id, Action.LIST_WORKSPACE_ROLES)
        return self.answer(request, "The roles.", roles.roles(standing))

    @schema.create_workspace_role
    def create(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_workspace(request, id, Action.CHANGE_WORKSPACE_ROLES)
        return self.answer(request, "The role is created.", roles.shown(roles.create(standing, body_of(request))))

    @schema.delete_workspace_role
    def delete(self, request: Request, id: int, role_id: int) -> HttpResponse:  # noqa: A002
        standing = self.in_workspace(request, id, Action.CHANGE_WORKSPACE_ROLES)
        return self.answer(request, "The role is removed.", roles.shown(roles.remove(standing, role_id)))


class PageQuery(NamedTuple):
    """The part of a list that is asked for."""

    page: int
    limit: int
    search: str


def page_query(request: Request) -> PageQuery:
    """The page in the query; raises ``ApiError`` (400), whoever asks."""
    query = PageQuery(
        page=number_parameter(request, "page", default=1, largest=MAX_PAGE),
        limit=number_parameter(request, "limit", default=LIMIT, largest=MAX_LIMIT),
        search=single_parameter(request, "search").strip(),
    )
    if len(query.search) > MAX_SEARCH or not is_storable(query.search):
        raise ApiError(Problem.INVALID_PARAMETER, f"search must be a text of at most {MAX_SEARCH} characters.")
    return query


def page(query: PageQuery, total: int, data: list[dict[str, Any]]) -> dict[str, Any]:
    """The ``{data, meta}`` of a page."""
    return {"data": data, "meta": {"total": total, "page": query.page, "limit": query.limit}}
