"""The memberships of the signed-in user: GET /me/workspace-memberships and GET /me/organization-memberships."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.polled.viewsets import PolledViewSet
from memberships import organization_list, schema
from memberships.listing.poll import SOURCE


class WorkspaceMembershipViewSet(PolledViewSet):
    """The signed-in user's workspace memberships."""

    source = SOURCE

    @schema.workspace_memberships
    def list(self, request: Request) -> HttpResponse:
        return self.polled(request)


class OrganizationMembershipViewSet(PolledViewSet):
    """The signed-in user's organization memberships."""

    source = organization_list.SOURCE

    @schema.organization_memberships
    def list(self, request: Request) -> HttpResponse:
        return self.polled(request)
