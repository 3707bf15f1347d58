"""The endpoints of an organization's domains."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from api.requests import body_of
from memberships.permissions import Action
from memberships.self_service import domain_schema as schema
from memberships.self_service import domains
from memberships.self_service.views import PlaceViewSet


class OrganizationDomainViewSet(PlaceViewSet):
    """The domains of an organization."""

    @schema.domains
    def list(self, request: Request, id: int) -> HttpResponse:
        standing = self.enter(request, id, Action.LIST_DOMAINS)
        return self.answer(request, "The domains.", domains.domains(standing))

    @schema.create_domain
    def create(self, request: Request, id: int) -> HttpResponse:
        standing = self.enter(request, id, Action.CHANGE_DOMAINS)
        data = domains.shown(domains.create(standing, body_of(request)))
        return self.answer(request, "Add the TXT record to the domain, and verify it then.", data)

    @schema.verify_domain
    def verify(self, request: Request, id: int, domain_id: int) -> HttpResponse:
        standing = self.enter(request, id, Action.CHANGE_DOMAINS)
        data = domains.shown(domains.verify(standing, domain_id))
        return self.answer(request, "The domain is verified.", data)

    @schema.delete_domain
    def delete(self, request: Request, id: int, domain_id: int) -> HttpResponse:
        standing = self.enter(request, id, Action.CHANGE_DOMAINS)
        data = domains.shown(domains.delete(standing, domain_id))
        return self.answer(request, "The domain is removed.", data)
