"""Signing up, the invitations to that, and forgotten passwords."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.answers import rendering
from accounts.authentication.sessions import Caller
from accounts.polled.viewsets import VisitorViewSet
from accounts.public import schema as accounts_schema
from accounts.sign_in import challenges, forgotten_passwords, signing_up
from accounts.sign_in.invitations import PARAMETER
from accounts.sign_in.signing_up import Person
from accounts.values.person_fields import email_field, person_field, username_field
from api.answers import answer
from api.requests import body_of, optional_text_field, single_parameter, text_field
from memberships import invitations
from memberships.session import sign_in_schema as schema
from memberships.session.session_views import client_of, signed_in_answer


class SignUpViewSet(VisitorViewSet):
    """Signing up. The code of the mail comes to the same address as that of a sign-in."""

    @schema.sign_up
    def sign_up(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        body = body_of(request)
        token = optional_text_field(body, PARAMETER)
        person = Person(
            email=email_field(body),
            username=username_field(body),
            first_name=person_field(body, "first_name"),
            last_name=person_field(body, "last_name"),
            password=text_field(body, "password"),
            invitation=invitations.find(caller.deployment, token) if token else None,
        )
        # Before the challenge is spent: clients solve one, and a person may need several tries at a good password.
        invitation = signing_up.check(caller.deployment, person)
        with challenges.spending(caller.deployment, body):
            result = signing_up.begin(caller, client_of(request), person, invitation)
        return signed_in_answer(request, caller, result)


class InvitationViewSet(VisitorViewSet):
    """An invitation with which to sign up, for whoever has its link."""

    @accounts_schema.invitation
    def validate(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        found = invitations.find(caller.deployment, single_parameter(request, "token"))
        return answer(
            request, message="Your invitation.", data=rendering.invitation(found), session=caller.session_summary
        )


class ForgottenPasswordViewSet(VisitorViewSet):
    """A new password for whoever has forgotten theirs. Clients send no challenge here, so none is demanded."""

    @schema.forgot_password
    def forgot(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        client = client_of(request)
        body = body_of(request)
        email = email_field(body)
        code = optional_text_field(body, "otp", max_length=50)
        data = {}
        if code:
            message = "Choose a new password."
            data["token"] = forgotten_passwords.token_for(caller.deployment, client, email=email, code=code)
        else:
            message = "If there is an account with this address, we have sent a code to it."
            forgotten_passwords.mail_code(caller.deployment, client, email=email)
        return answer(request, message=message, data=data, session=caller.session_summary)

    @schema.reset_password
    def reset(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        body = body_of(request)
        token = text_field(body, "token", max_length=forgotten_passwords.MAX_TOKEN)
        password = text_field(body, "password")
        result = forgotten_passwords.reset(caller, client_of(request), token=token, password=password)
        return signed_in_answer(request, caller, result)
