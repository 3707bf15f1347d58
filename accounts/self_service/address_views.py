"""One's own e-mail addresses."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.answers import rendering
from accounts.authentication.sessions import SignedIn
from accounts.models import EmailAddress
from accounts.polled.viewsets import SessionViewSet
from accounts.self_service import address_schema, addresses
from accounts.self_service.account_views import proof_of
from accounts.values.person_fields import email_field
from api.answers import answer
from api.client_address import client_address_of
from api.requests import body_of, optional_text_field, single_parameter


class EmailAddressViewSet(SessionViewSet):
    """The addresses of the signed-in user."""

    @address_schema.addresses
    def list(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        data = [rendering.own_email_address(address) for address in addresses.addresses_of(caller.user)]
        return answer(request, message="Your e-mail addresses.", data=data, session=caller.session_summary)

    @address_schema.add
    def add(self, request: Request) -> HttpResponse:
        address = addresses.add(cast(SignedIn, request.auth), proof_of(request), email_field(body_of(request)))
        return _answer(request, "Verify the address, with a code that is sent to it.", address)

    @address_schema.prepare_verification
    def prepare_verification(self, request: Request, id: int) -> HttpResponse:
        address = addresses.mail_code(cast(SignedIn, request.auth), id, client=client_address_of(request))
        return _answer(request, "Enter the code of the e-mail that you have just got.", address)

    @address_schema.attempt_verification
    def attempt_verification(self, request: Request, id: int) -> HttpResponse:
        code = single_parameter(request, "code")[:50] or optional_text_field(body_of(request), "code", max_length=50)
        address = addresses.verify(cast(SignedIn, request.auth), id, code, client=client_address_of(request))
        return _answer(request, "The address is verified.", address)

    @address_schema.make_primary
    def make_primary(self, request: Request, id: int) -> HttpResponse:
        address = addresses.make_primary(cast(SignedIn, request.auth), proof_of(request), id)
        return _answer(request, "This is your main address now.", address)

    @address_schema.remove
    def remove(self, request: Request, id: int) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        addresses.remove(caller, proof_of(request), id)
        return answer(request, message="The address is removed.", data=None, session=caller.session_summary)


def _answer(request: Request, message: str, address: EmailAddress) -> HttpResponse:
    caller = cast(SignedIn, request.auth)
    data = rendering.own_email_address(address)
    return answer(request, message=message, data=data, session=caller.session_summary)
