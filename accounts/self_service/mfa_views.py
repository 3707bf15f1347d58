"""The MFA of the signed-in user."""

from __future__ import annotations

from functools import partial
from typing import cast

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.answers import rendering
from accounts.authentication.sessions import SignedIn
from accounts.credentials import mfa, step_up
from accounts.polled.viewsets import SessionViewSet
from accounts.self_service import mfa_schema as schema
from accounts.self_service.account_views import proof_of
from api.answers import answer
from api.client_address import client_address_of
from api.errors import ApiError, Problem
from api.requests import body_of, text_field, texts_field


class MfaViewSet(SessionViewSet):
    """MFA enrolment. A secret is shown only to users who have proven more than a session does."""

    @schema.new_authenticator
    def new_authenticator(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        authenticator, secret = step_up.change(caller, proof_of(request), mfa.new_authenticator)
        return answer(
            request,
            message="Scan the code, then confirm with two successive codes.",
            data=rendering.new_authenticator(authenticator, secret=secret, otp_url=mfa.otp_url(caller.user, secret)),
            session=caller.session_summary,
        )

    @schema.confirm_authenticator
    def confirm_authenticator(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        body = body_of(request)
        codes = texts_field(body, "codes", number=2)
        authenticator = mfa.unconfirmed(caller.user, text_field(body, "authenticator_id", max_length=19))
        if authenticator is None:
            raise ApiError(Problem.NOT_FOUND, "There is no such authenticator to confirm; start again.")
        if not mfa.confirm_authenticator(authenticator, codes, keep=caller.session, address=client_address_of(request)):
            raise ApiError(Problem.WRONG_CODE, "These are not two current, successive codes; enter the next two.")
        return answer(
            request,
            message="Your authenticator is set up.",
            data=rendering.authenticator(authenticator),
            session=caller.session_summary,
        )

    @schema.new_backup_codes
    def new_backup_codes(self, request: Request) -> HttpResponse:
        return self._new_backup_codes(request)

    @schema.regenerate_backup_codes
    def regenerate_backup_codes(self, request: Request) -> HttpResponse:
        return self._new_backup_codes(request)

    def _new_backup_codes(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        make = partial(mfa.new_backup_codes, keep=caller.session, address=client_address_of(request))
        codes = step_up.change(caller, proof_of(request), make, ends_enrolment=True)
        return answer(
            request,
            message="Keep these codes; they are not shown again, and those before them are void.",
            data=codes,
            session=caller.session_summary,
        )

    @schema.delete_authenticator
    def delete_authenticator(self, request: Request, id: int) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        make = partial(
            mfa.remove_authenticator, authenticator_id=id, keep=caller.session, address=client_address_of(request)
        )
        step_up.change(caller, proof_of(request), make)
        return answer(request, message="Your authenticator is removed.", data="", session=caller.session_summary)
