"""Describes the endpoints of one's own e-mail addresses for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from accounts.answers import rendering
from accounts.answers.rows import AddressRow
from accounts.answers.serializers import TextField, UserEmailAddressSerializer
from accounts.self_service.account_schema import done
from accounts.values.person_fields import MAX_EMAIL
from api.errors import Problem
from api.openapi import EXAMPLE_TIME, NEEDING_A_SESSION, endpoint, envelope, enveloped, id_in_path

_PRIMARY = AddressRow("7214", "ada@example.com", True, EXAMPLE_TIME)
_NEW = AddressRow("7391", "ada@home.example", False, "")
_VERIFIED = _NEW._replace(verified_at=EXAMPLE_TIME)
_ANSWER = envelope("EmailAddressResponse", UserEmailAddressSerializer())
_ID = [id_in_path("The id of the address.")]

_RECENT = (
    "It takes a sign-in of the last ten minutes, or a code of users who have an authenticator and the password of the "
    "others: an address can be used to sign in and to set a new password."
)
_RECENT_FAILS_WITH = (
    Problem.INVALID_FIELD,
    Problem.WRONG_CODE,
    Problem.WRONG_PASSWORD,
    Problem.RECENT_SIGN_IN_REQUIRED,
    Problem.TOO_MANY_REQUESTS,
)


class RecentSerializer(serializers.Serializer):
    """Proof, beyond the session, where the sign-in is older than ten minutes."""

    verification_code = serializers.CharField(required=False, help_text="Of users who have an authenticator.")
    password = serializers.CharField(required=False, help_text="Of the others.")


class AddAddressSerializer(RecentSerializer):
    email = TextField(max_length=MAX_EMAIL)


class AddressCodeSerializer(serializers.Serializer):
    code = serializers.CharField(
        required=False, allow_blank=True, max_length=50, help_text="If it is not in the query."
    )


def _about_one(
    operation_id: str,
    summary: str,
    *,
    shown: AddressRow,
    message: str,
    fails_with: Iterable[Problem] = (),
    parameters: Iterable[OpenApiParameter] = _ID,
    **options: Any,
) -> Callable[..., Any]:
    return endpoint(
        operation_id,
        summary,
        tag="Me",
        method="POST",
        parameters=list(parameters),
        answers=_ANSWER,
        examples={"an address": enveloped(rendering.email_address(shown), message)},
        fails_with=[*NEEDING_A_SESSION, *fails_with],
        **options,
    )


addresses = endpoint(
    "GetEmailAddresses",
    "One's own e-mail addresses",
    tag="Me",
    description="The primary one first. An address that staff typed is not verified until its user does it.",
    answers=envelope("EmailAddressesResponse", UserEmailAddressSerializer(many=True)),
    examples={
        "two": enveloped(
            [rendering.email_address(_PRIMARY), rendering.email_address(_VERIFIED)], "Your e-mail addresses."
        )
    },
    fails_with=NEEDING_A_SESSION,
)

add = _about_one(
    "CreateEmailAddress",
    "Add an e-mail address",
    description=(
        "It counts once it is verified. The answer is the same whether or not somebody else has the address. A user "
        f"has ten at most. {_RECENT}"
    ),
    parameters=(),
    request=AddAddressSerializer,
    requests={"an address": {"email": "ada@home.example"}},
    shown=_NEW,
    message="Verify the address, with a code that is sent to it.",
    fails_with=_RECENT_FAILS_WITH,
)

prepare_verification = _about_one(
    "PrepareEmailVerification",
    "Have a code sent to an e-mail address",
    description=(
        "The code is good for ten minutes and five tries; the one before is void. At most five are sent to a mailbox "
        "in a quarter of an hour, whoever asks."
    ),
    shown=_NEW,
    message="Enter the code of the e-mail that you have just got.",
    fails_with=[Problem.INVALID_FIELD, Problem.NOT_FOUND, Problem.TOO_MANY_REQUESTS],
)

attempt_verification = _about_one(
    "AttemptEmailVerification",
    "Verify an e-mail address with the code",
    description=(
        "In the query, or in the body. If another user of the deployment has the address, the right code says so. "
        "The primary address gets a mail about the new one."
    ),
    parameters=[*_ID, OpenApiParameter("code", str, description="The code of the mail.")],
    request=AddressCodeSerializer,
    requests={"a code": {"code": "492039"}},
    shown=_VERIFIED,
    message="The address is verified.",
    fails_with=[Problem.INVALID_FIELD, Problem.ADDRESS_TAKEN, Problem.WRONG_CODE, Problem.NOT_FOUND],
)

make_primary = _about_one(
    "MakeEmailPrimary",
    "Make an e-mail address the primary one",
    description=f"It must be verified. The former main address gets a mail about it. {_RECENT}",
    request=RecentSerializer,
    requests={"just after signing in": {}, "later": {"password": "correct horse battery staple"}},
    shown=_VERIFIED._replace(is_primary=True),
    message="This is your main address now.",
    fails_with=[*_RECENT_FAILS_WITH, Problem.NOT_FOUND],
)

remove = done(
    "DeleteEmailAddress",
    "Remove an e-mail address",
    description=f"The primary one stays. One that is not verified goes without more. {_RECENT}",
    parameters=_ID,
    request=RecentSerializer,
    requests={"just after signing in": {}, "later": {"password": "correct horse battery staple"}},
    message="The address is removed.",
    fails_with=[*_RECENT_FAILS_WITH, Problem.NOT_FOUND],
)
