"""Signing up."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponse
from rest_framework.request import Request

from accounts import challenges, signing_up
from accounts.person_fields import email_field, person_field, username_field
from accounts.sessions import Caller
from accounts.signing_up import Person
from accounts.viewsets import VisitorViewSet
from api.requests import body_of, text_field
from memberships import sign_in_schema as schema
from memberships.session_views import client_of, signed_in_answer


class SignUpViewSet(VisitorViewSet):
    """Signing up. The code of the mail comes to the same address as that of a sign-in."""

    @schema.sign_up
    def sign_up(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        body = body_of(request)
        person = Person(
            email=email_field(body),
            username=username_field(body),
            first_name=person_field(body, "first_name"),
            last_name=person_field(body, "last_name"),
            password=text_field(body, "password"),
        )
        # Before the challenge is spent: clients solve one, and a person may need several tries at a good password.
        signing_up.check(caller.deployment, person)
        with challenges.spending(caller.deployment, body):
            result = signing_up.begin(caller, client_of(request), person)
        return signed_in_answer(request, caller, result)
