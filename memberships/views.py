"""The memberships of the signed-in user: GET /me/workspace-memberships and GET /me/organization-memberships."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponse
from rest_framework.request import Request

from accounts import rendering as accounts_rendering
from accounts.sessions import SignedIn
from accounts.viewsets import PolledViewSet, SessionViewSet
from api.answers import answer
from api.client_address import client_address_of
from memberships import rendering, rows, schema
from memberships.listing.composing import organization_restriction
from memberships.listing.fragments import of_organization, shows_private_metadata
from memberships.listing.poll import SOURCE


class WorkspaceMembershipViewSet(PolledViewSet):
    """The signed-in user's workspace memberships."""

    source = SOURCE

    @schema.workspace_memberships
    def list(self, request: Request) -> HttpResponse:
        return self.polled(request)


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
