"""What users are members of: GET /me/workspace-memberships and GET /me/organization-memberships."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.api import SessionViewSet
from accounts.sessions import SignedIn
from config.api.answers import answer
from config.api.errors import ApiError, Problem
from config.api.requests import id_parameter
from config.client_address import client_address_of
from memberships import read, rendering, schema


class WorkspaceMembershipViewSet(SessionViewSet):
    """The signed-in user's workspace memberships."""

    @schema.workspace_memberships
    def list(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        organization_id = id_parameter(request, "org_id", Problem.INVALID_ORG_ID)
        rows = read.workspace_membership_rows(
            user_id=caller.user.pk, deployment_id=caller.deployment.pk, organization_id=organization_id
        )
        if organization_id is not None and not rows:
            self.require_organization_membership(caller, organization_id)
        address = client_address_of(request)
        return answer(
            request,
            message="Your workspace memberships.",
            data=[rendering.workspace_membership(row, caller=caller, address=address) for row in rows],
            session=caller.session_summary,
        )

    def require_organization_membership(self, caller: SignedIn, organization_id: int) -> None:
        """Raise ``ApiError`` (404) for a non-member: the same whether or not the organization exists."""
        if not read.is_organization_member(
            user_id=caller.user.pk, deployment_id=caller.deployment.pk, organization_id=organization_id
        ):
            raise ApiError(Problem.NOT_A_MEMBER)


class OrganizationMembershipViewSet(SessionViewSet):
    """The signed-in user's organization memberships."""

    @schema.organization_memberships
    def list(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        rows = read.organization_membership_rows(user_id=caller.user.pk, deployment_id=caller.deployment.pk)
        address = client_address_of(request)
        return answer(
            request,
            message="Your organization memberships.",
            data=[rendering.organization_membership(row, caller=caller, address=address) for row in rows],
            session=caller.session_summary,
        )
