"""The endpoints of invitations to organizations."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import cast

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.authentication import sessions
from accounts.authentication.classes import require_settled
from accounts.authentication.sessions import Caller, SignedIn
from accounts.credentials import throttling
from accounts.polled.viewsets import VisitorViewSet
from accounts.sign_in.invitations import MAX_TOKEN
from api.answers import answer
from api.client_address import client_address_of
from api.errors import ApiError, Problem
from api.requests import body_of, id_field, id_parameter, optional_text_field, single_parameter
from memberships import standing as standings
from memberships.models import OrganizationInvitation
from memberships.permissions import Action
from memberships.self_service import invitation_schema as schema
from memberships.self_service import invitations
from memberships.self_service.views import PlaceViewSet
from memberships.standing import Standing

_INVITING = Action.INVITE, Action.INVITE_TO_WORKSPACE


class OrganizationInvitationViewSet(PlaceViewSet):
    """The invitations of an organization. Administrators of a workspace have those to their workspace."""

    @schema.invitations
    def list(self, request: Request, id: int) -> HttpResponse:
        workspace_id = id_parameter(request, "workspace_id")
        actions = Action.LIST_INVITATIONS, Action.LIST_WORKSPACE_INVITATIONS
        standing = self._enter(request, id, actions, lambda: workspace_id)
        return self.answer(request, "The open invitations.", invitations.open_ones(standing, workspace_id))

    @schema.invite
    def create(self, request: Request, id: int) -> HttpResponse:
        body = body_of(request)
        standing = self._enter(request, id, _INVITING, lambda: id_field(body, "workspace_id"))
        row = invitations.invite(standing, body, client=client_address_of(request))
        return self._shown(request, "The invitation is on its way.", standing, row)

    @schema.discard_invitation
    def discard(self, request: Request, id: int, invitation_id: int) -> HttpResponse:
        standing = self._enter(request, id, _INVITING, lambda: invitations.workspace_of(id, invitation_id))
        row = invitations.discard(standing, invitation_id)
        return self._shown(request, "The invitation is withdrawn.", standing, row)

    @schema.resend_invitation
    def resend(self, request: Request, id: int, invitation_id: int) -> HttpResponse:
        standing = self._enter(request, id, _INVITING, lambda: invitations.workspace_of(id, invitation_id))
        row = invitations.resend(standing, invitation_id, client=client_address_of(request))
        return self._shown(request, "The invitation is on its way again.", standing, row)

    def _enter(
        self,
        request: Request,
        organization_id: int,
        actions: tuple[Action, Action],
        workspace_of_request: Callable[[], int | None],
    ) -> Standing:
        """The standing of an administrator of the organization, or of the workspace that the request is about.

        All other members get one and the same answer, so that it shows neither workspaces nor invitations.
        """
        in_organization, in_workspace = actions
        try:
            return self.enter(request, organization_id, in_organization)
        except ApiError as error:
            if error.problem is not Problem.FORBIDDEN or (workspace_id := workspace_of_request()) is None:
                raise
            caller, address = cast(SignedIn, request.auth), client_address_of(request)
            with suppress(ApiError):
                standing = standings.in_workspace(caller, workspace_id, in_workspace, address=address)
                if standing.organization_id == organization_id:
                    return standing
            raise

    def _shown(self, request: Request, message: str, standing: Standing, row: OrganizationInvitation) -> HttpResponse:
        row.refresh_from_db(fields=["created_at", "updated_at"])
        (data,) = invitations.shown(standing, [row])
        return self.answer(request, message, data)


class AcceptanceViewSet(VisitorViewSet):
    """Accepting an invitation, by whoever has its link."""

    @schema.accept_invitation
    def accept(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        require_settled(request)
        user = sessions.signed_in(caller).user if sessions.is_signed_in(caller) else None
        throttling.count_use(
            throttling.change_limits(caller.deployment, account=user, address=client_address_of(request))
        )
        token = single_parameter(request, "token") or optional_text_field(
            body_of(request), "token", max_length=MAX_TOKEN
        )
        data = invitations.accept(caller, token)
        return answer(request, message=data["message"], data=data, session=caller.session_summary)
