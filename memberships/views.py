"""The memberships of the signed-in user: GET /me/workspace-memberships and GET /me/organization-memberships."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import rendering as accounts_rendering
from accounts.authentication import SessionAuthentication
from accounts.models import Deployment
from accounts.sessions import SignedIn
from accounts.viewsets import SessionViewSet
from api.answers import answer, conditional_answer
from api.client_address import client_address_of
from api.errors import ApiError, Problem
from api.requests import id_parameter
from database.prepared import run
from memberships import rendering, rows, schema
from memberships.listing import poll
from memberships.listing.composing import organization_restriction
from memberships.listing.fragments import of_organization, shows_private_metadata
from memberships.listing.poll import Poll
from memberships.listing.statement import ListingRow, read_listing


class WorkspaceMembershipViewSet(SessionViewSet):
    """The signed-in user's workspace memberships."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        self.authentication = SessionAuthentication(self._read)
        return [self.authentication]

    def _read(self, deployment: Deployment, session_id: int, *, is_loaded: bool) -> ListingRow:
        try:
            organization_id = id_parameter(self.request, "org_id")
        except ApiError:
            organization_id = 0  # which none has: a missing sign-in is reported first
        return run(read_listing(deployment, session_id, organization_id=organization_id, is_loaded=is_loaded))

    @schema.workspace_memberships
    def list(self, request: Request) -> HttpResponse:
        organization_id = id_parameter(request, "org_id", Problem.INVALID_ORG_ID)
        query = Poll(organization_id, client_address_of(request))
        listing = poll.answer(query, cast(SignedIn, request.auth), self.authentication.row)
        return conditional_answer(request, etag=listing.etag, write=listing.body)


class OrganizationMembershipViewSet(SessionViewSet):
    """The signed-in user's organization memberships."""

    @schema.organization_memberships
    def list(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        address = client_address_of(request)
        user = accounts_rendering.public_user(caller.user)
        data = []
        for row in rows.organization_membership_rows(user_id=caller.user.pk, deployment_id=caller.deployment.pk):
            place = of_organization(row.organization)
            data.append(
                rendering.organization_membership(
                    row,
                    user=user,
                    organization=place.shown
                    if shows_private_metadata(caller.deployment, is_admin=row.is_organization_admin)
                    else place.hidden,
                    restriction=organization_restriction(
                        place, is_admin=row.is_organization_admin, caller=caller, address=address
                    ),
                )
            )
        return answer(request, message="Your organization memberships.", data=data, session=caller.session_summary)
