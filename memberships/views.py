"""What users are members of: GET /me/workspace-memberships and GET /me/organization-memberships."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import rendering as accounts_rendering
from accounts import tenants
from accounts.api import SessionViewSet
from accounts.authentication import SessionAuthentication
from accounts.sessions import SignedIn
from config.api.answers import answer, conditional_answer
from config.api.errors import ApiError, Problem
from config.api.requests import id_parameter
from config.client_address import client_address_of
from memberships import read, recent, rendering, schema
from memberships.listing import asker_of, compose, organization_restriction
from memberships.lookup import Lookup
from memberships.pieces import organization_place, shows_private_metadata


class WorkspaceMembershipViewSet(SessionViewSet):
    """The signed-in user's workspace memberships."""

    def require_deployment(self, request: Request) -> None:
        tenants.tenant_of(request)

    def get_authenticators(self) -> list[BaseAuthentication]:
        self.lookup = Lookup()
        return [SessionAuthentication(self.lookup.find)]

    @schema.workspace_memberships
    def list(self, request: Request) -> HttpResponse:
        organization_id = id_parameter(request, "org_id", Problem.INVALID_ORG_ID)
        caller, reading = cast(SignedIn, request.auth), self.lookup.reading
        if not reading.is_organization_member:  # the same whether or not the organization exists
            raise ApiError(Problem.NOT_A_MEMBER)
        asker, address = asker_of(caller, reading), client_address_of(request)
        listing = compose(reading, asker, address=address)
        recent.remember(
            listing,
            asker,
            session_id=caller.session.pk,
            address=address,
            organization_id=organization_id,
            as_of=reading.as_of,
        )
        return conditional_answer(request, etag=listing.etag, write=listing.body)


class OrganizationMembershipViewSet(SessionViewSet):
    """The signed-in user's organization memberships."""

    @schema.organization_memberships
    def list(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        address = client_address_of(request)
        user = accounts_rendering.public_user(caller.user)
        data = []
        for row in read.organization_membership_rows(user_id=caller.user.pk, deployment_id=caller.deployment.pk):
            place = organization_place(row.organization)
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
