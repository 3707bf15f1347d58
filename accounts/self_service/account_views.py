"""One's own password and sign-ins."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.answers import rendering
from accounts.authentication.classes import end_all_sessions
from accounts.authentication.sent_tokens import send_visitors_token
from accounts.authentication.sessions import Caller, SignedIn
from accounts.credentials import passwords, step_up
from accounts.models import User
from accounts.polled.viewsets import SessionViewSet
from accounts.self_service import account_schema, deletion, own_sign_ins
from api.answers import answer
from api.client_address import client_address_of
from api.requests import body_of, optional_text_field, text_field


class PasswordViewSet(SessionViewSet):
    @account_schema.update_password
    def update(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        new = text_field(body_of(request), "new_password")
        address = client_address_of(request)

        def change(user: User) -> None:
            passwords.require_good(new, user)
            passwords.change(user, new, address=address, keep=caller.session)

        proof = proof_of(request, field="current_password")
        step_up.change(caller, proof, change, demand=step_up.Demand.PASSWORD)
        return answer(request, message="Your password is changed.", data=None, session=caller.session_summary)


class AccountViewSet(SessionViewSet):
    @account_schema.delete_account
    def delete(self, request: Request) -> HttpResponse:
        caller = deletion.delete_account(cast(SignedIn, request.auth), proof_of(request))
        leave_if_over(request, caller)
        return answer(request, message="Your account is deleted.", data=None, session=caller.session_summary)


class OwnSignInsViewSet(SessionViewSet):
    """The live sign-ins of the signed-in user, in all browsers."""

    @account_schema.sign_ins
    def list(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        data = [rendering.own_sign_in(sign_in) for sign_in in own_sign_ins.live(caller.user)]
        return answer(request, message="Your sign-ins.", data=data, session=caller.session_summary)

    @account_schema.sign_out
    def sign_out(self, request: Request, id: int) -> HttpResponse:
        caller = own_sign_ins.end(cast(SignedIn, request.auth), id)
        leave_if_over(request, caller)
        return answer(request, message="The sign-in has ended.", data=None, session=caller.session_summary)


def leave_if_over(request: Request, caller: Caller) -> None:
    """Give the browser of a ``caller`` whose session has just ended a visitor's token."""
    if caller.is_visitor:
        end_all_sessions(request)
        send_visitors_token(request, caller)


def proof_of(request: Request, *, field: str = "password") -> step_up.Proof:
    """The proof in the body; the password is in ``field``."""
    body = body_of(request)
    return step_up.Proof(
        code=optional_text_field(body, "verification_code", max_length=50),
        password=optional_text_field(body, field),
        address=client_address_of(request),
    )
