"""The endpoints of organizations and workspaces that their own administrators run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, cast

from django.db import transaction
from django.http import HttpResponse
from rest_framework.request import Request

from accounts.authentication.sessions import SignedIn
from accounts.credentials import throttling
from accounts.polled.viewsets import SessionViewSet
from api.answers import answer
from api.client_address import client_address_of
from api.errors import ApiError, Problem
from api.openapi import described
from api.requests import body_of, id_field, is_storable, number_parameter, single_parameter
from memberships import standing as standings
from memberships.permissions import Action
from memberships.self_service import members, places, roles, shown
from memberships.self_service.place_schema import ORGANIZATIONS, WORKSPACES, create_organization, create_workspace
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

    def enter(self, request: Request, place_id: int, action: Action) -> Standing:
        """The caller's standing in the organization or the workspace, whichever ``action`` is about."""
        door = standings.in_workspace if action.needs.is_in_workspace else standings.in_organization
        return door(self.caller(request), place_id, action, address=client_address_of(request))

    def answer(self, request: Request, message: str, data: Any) -> HttpResponse:
        return answer(request, message=message, data=data, session=cast(SignedIn, request.auth).session_summary)

    def done(self, request: Request, message: str) -> HttpResponse:
        return self.answer(request, message, {"success": True, "message": message})


class RunningViewSet(PlaceViewSet):
    """Updating, deleting and leaving an organization or a workspace."""

    place: ClassVar[str]
    updating: ClassVar[Action]
    deleting: ClassVar[Action]
    leaving: ClassVar[Action]

    def update(self, request: Request, id: int) -> HttpResponse:
        standing = self.enter(request, id, self.updating)
        places.update(standing, body_of(request))
        return self.answer(request, f"The {self.place} is updated.", shown.place(standing))

    def delete(self, request: Request, id: int) -> HttpResponse:
        places.delete(self.enter(request, id, self.deleting))
        return self.done(request, f"The {self.place} is deleted.")

    def leave(self, request: Request, id: int) -> HttpResponse:
        places.leave(self.enter(request, id, self.leaving))
        return self.done(request, f"You have left the {self.place}.")


@described(update=ORGANIZATIONS.update, delete=ORGANIZATIONS.delete, leave=ORGANIZATIONS.leave)
class OrganizationViewSet(RunningViewSet):
    """Organizations."""

    place = "organization"
    updating, deleting = Action.UPDATE_ORGANIZATION, Action.DELETE_ORGANIZATION
    leaving = Action.LEAVE_ORGANIZATION

    @create_organization
    def create(self, request: Request) -> HttpResponse:
        caller = self.caller(request)
        with transaction.atomic():  # nobody deletes it before it is answered
            new = places.create_organization(caller, body_of(request))
            (membership,) = shown.members(new, [new.organization_membership_id])
        data = {"organization": membership["organization"], "membership": membership}
        return self.answer(request, "The organization is created.", data)


@described(update=WORKSPACES.update, delete=WORKSPACES.delete, leave=WORKSPACES.leave)
class WorkspaceViewSet(RunningViewSet):
    """Workspaces."""

    place = "workspace"
    updating, deleting, leaving = Action.UPDATE_WORKSPACE, Action.DELETE_WORKSPACE, Action.LEAVE_WORKSPACE

    @create_workspace
    def create(self, request: Request) -> HttpResponse:
        organization_id = id_field(body_of(request), "organization_id")
        if organization_id is None:
            raise ApiError(Problem.INVALID_FIELD, "organization_id must be the id of the workspace's organization.")
        standing = self.enter(request, organization_id, Action.CREATE_WORKSPACE)
        with transaction.atomic():  # nobody deletes it before it is answered
            new = places.create_workspace(standing, body_of(request))
            assert new.workspace_membership_id is not None
            (membership,) = shown.members(new, [new.workspace_membership_id])
        data = {"workspace": membership["workspace"], "membership": membership}
        return self.answer(request, "The workspace is created.", data)


class MemberViewSet(PlaceViewSet):
    """The members of an organization or a workspace."""

    listing: ClassVar[Action]
    removing: ClassVar[Action]
    changing_roles: ClassVar[Action]
    shows_changed: ClassVar[bool]
    """Whether changes are answered by the member."""

    def list(self, request: Request, id: int) -> HttpResponse:
        query = page_query(request)
        standing = self.enter(request, id, self.listing)
        ids, total = members.page_of(standing, **query._asdict())
        return self.answer(request, "The members.", page(query, total, shown.members(standing, ids)))

    def remove(self, request: Request, id: int, member_id: int) -> HttpResponse:
        standing = self.enter(request, id, self.removing)
        membership = members.member(standing, member_id)
        data = self._shown(standing, membership)
        members.remove(standing, membership)
        return self._changed(request, "The member is removed.", data)

    def add_role(self, request: Request, id: int, member_id: int, role_id: int) -> HttpResponse:
        return self._change_roles(request, id, member_id, role_id, members.add_role)

    def remove_role(self, request: Request, id: int, member_id: int, role_id: int) -> HttpResponse:
        return self._change_roles(request, id, member_id, role_id, members.remove_role)

    def _change_roles(
        self, request: Request, place_id: int, member_id: int, role_id: int, change: Callable[..., None]
    ) -> HttpResponse:
        standing = self.enter(request, place_id, self.changing_roles)
        membership = members.member(standing, member_id)
        change(standing, membership, role_id)
        return self._changed(request, "The member's roles are changed.", self._shown(standing, membership))

    def _shown(self, standing: Standing, membership: members.Membership) -> Any:
        return shown.member(standing, membership.pk) if self.shows_changed else None

    def _changed(self, request: Request, message: str, data: Any) -> HttpResponse:
        return self.answer(request, message, data) if self.shows_changed else self.done(request, message)


@described(
    list=ORGANIZATIONS.members,
    remove=ORGANIZATIONS.remove_member,
    add_role=ORGANIZATIONS.add_member_role,
    remove_role=ORGANIZATIONS.remove_member_role,
)
class OrganizationMemberViewSet(MemberViewSet):
    """The members of an organization."""

    listing, removing = Action.LIST_ORGANIZATION_MEMBERS, Action.REMOVE_ORGANIZATION_MEMBERS
    changing_roles = Action.CHANGE_ORGANIZATION_MEMBERS_ROLES
    shows_changed = True


@described(
    list=WORKSPACES.members,
    remove=WORKSPACES.remove_member,
    add_role=WORKSPACES.add_member_role,
    remove_role=WORKSPACES.remove_member_role,
)
class WorkspaceMemberViewSet(MemberViewSet):
    """The members of a workspace."""

    listing, removing = Action.LIST_WORKSPACE_MEMBERS, Action.REMOVE_WORKSPACE_MEMBERS
    changing_roles = Action.CHANGE_WORKSPACE_MEMBERS_ROLES
    shows_changed = False


class RoleViewSet(PlaceViewSet):
    """The roles of an organization or a workspace."""

    listing: ClassVar[Action]
    changing: ClassVar[Action]

    def list(self, request: Request, id: int) -> HttpResponse:
        return self.answer(request, "The roles.", roles.roles(self.enter(request, id, self.listing)))

    def create(self, request: Request, id: int) -> HttpResponse:
        standing = self.enter(request, id, self.changing)
        return self.answer(request, "The role is created.", roles.shown(roles.create(standing, body_of(request))))

    def remove(self, request: Request, id: int, role_id: int) -> HttpResponse:
        standing = self.enter(request, id, self.changing)
        return self.answer(request, "The role is removed.", roles.shown(roles.remove(standing, role_id)))


@described(list=ORGANIZATIONS.roles, create=ORGANIZATIONS.create_role, remove=ORGANIZATIONS.remove_role)
class OrganizationRoleViewSet(RoleViewSet):
    """The roles of an organization."""

    listing, changing = Action.LIST_ORGANIZATION_ROLES, Action.CHANGE_ORGANIZATION_ROLES


@described(list=WORKSPACES.roles, create=WORKSPACES.create_role, remove=WORKSPACES.remove_role)
class WorkspaceRoleViewSet(RoleViewSet):
    """The roles of a workspace."""

    listing, changing = Action.LIST_WORKSPACE_ROLES, Action.CHANGE_WORKSPACE_ROLES


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
