"""Describes the endpoints of one's own account for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from rest_framework import serializers

from accounts.answers import rendering
from accounts.answers.serializers import TextField
from accounts.models import SignIn
from api.errors import Problem
from api.openapi import EXAMPLE_TIME, NEEDING_A_SESSION, NothingField, endpoint, envelope, enveloped, id_in_path

DONE = envelope("DoneResponse", NothingField())
"""The answer that has nothing to show."""


class UpdatePasswordSerializer(serializers.Serializer):
    current_password = serializers.CharField(required=False, help_text="Of users who have a password.")
    new_password = TextField()
    verification_code = serializers.CharField(
        required=False, help_text="Of users who have an authenticator and no password yet."
    )


class DeleteAccountSerializer(serializers.Serializer):
    password = serializers.CharField(required=False, help_text="Of users who have one.")
    verification_code = serializers.CharField(required=False, help_text="Of users who have an authenticator.")


class OwnSignInSerializer(serializers.Serializer):
    """A live sign-in of the user, in any browser."""

    id = serializers.CharField()
    session_id = serializers.CharField()
    user_id = serializers.CharField()
    browser = serializers.CharField(help_text='Its name, such as `Firefox`; "" if unknown.')
    device = serializers.CharField(help_text='Such as `iPhone` or `Windows`; "" if unknown.')
    ip_address = serializers.CharField()
    last_active_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    city = serializers.CharField(help_text="Where an address is on the map is not looked up.")
    region = serializers.CharField()
    region_code = serializers.CharField()
    country = serializers.CharField()
    country_code = serializers.CharField()
    created_at = serializers.DateTimeField()


_SINCE = datetime.fromisoformat(EXAMPLE_TIME)
_SIGN_IN = rendering.own_sign_in(
    SignIn(
        id=90411,
        session_id=88121,
        user_id=5104,
        ip_address="198.51.100.7",
        user_agent="Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0",
        created_at=_SINCE,
        expires_at=_SINCE + timedelta(days=30),
    )
)


def done(
    operation_id: str, summary: str, *, message: str, fails_with: Iterable[Problem] = (), **options: Any
) -> Callable[..., Any]:
    """A change of the signed-in user's own account, after which there is nothing to show."""
    return endpoint(
        operation_id,
        summary,
        tag="Me",
        method="POST",
        answers=DONE,
        examples={"done": enveloped(None, message)},
        fails_with=[*NEEDING_A_SESSION, *fails_with],
        **options,
    )


update_password = done(
    "UpdatePassword",
    "Change one's own password",
    description=(
        "Other sessions of the user end, and the user is informed by mail. A new password has at least twelve "
        "characters, is no common one and not like the user's names or address. A user without a password gives none "
        "to set a first one: a code, if they have an authenticator, else they need to have signed in within the last "
        "ten minutes."
    ),
    request=UpdatePasswordSerializer,
    requests={
        "a new password": {
            "current_password": "correct horse battery staple",
            "new_password": "seven lazy foxes jump",
        }
    },
    message="Your password is changed.",
    fails_with=[
        Problem.INVALID_FIELD,
        Problem.WEAK_PASSWORD,
        Problem.WRONG_PASSWORD,
        Problem.WRONG_CODE,
        Problem.CODE_REQUIRED,
        Problem.RECENT_SIGN_IN_REQUIRED,
        Problem.TOO_MANY_REQUESTS,
    ],
)

delete_account = done(
    "DeleteAccount",
    "Delete one's own account",
    description=(
        "The user is deleted with all that belongs to them: sign-ins, addresses, MFA, memberships; a mail informs "
        "them. It takes the password, and a code of users who have an authenticator; a user with neither needs to "
        "have signed in within the last ten minutes. The last administrator of an organization cannot go."
    ),
    request=DeleteAccountSerializer,
    requests={
        "with a password": {"password": "correct horse battery staple"},
        "with an authenticator besides": {"password": "correct horse battery staple", "verification_code": "492039"},
    },
    message="Your account is deleted.",
    fails_with=[
        Problem.INVALID_FIELD,
        Problem.WRONG_PASSWORD,
        Problem.WRONG_CODE,
        Problem.CODE_REQUIRED,
        Problem.RECENT_SIGN_IN_REQUIRED,
        Problem.LAST_ADMINISTRATOR,
        Problem.TOO_MANY_REQUESTS,
    ],
)

sign_ins = endpoint(
    "GetUserSignins",
    "Where one is signed in",
    tag="Me",
    description="The live sign-ins of the user in all browsers, the newest first, a hundred at most.",
    answers=envelope("SigninsResponse", OwnSignInSerializer(many=True)),
    examples={"one": enveloped([_SIGN_IN], "Your sign-ins.")},
    fails_with=NEEDING_A_SESSION,
)

sign_out = done(
    "SignOutFromSession",
    "End one of one's own sign-ins",
    description="In whichever browser it is: the next request there is refused. The present one may be ended, too.",
    parameters=[id_in_path("The id of the sign-in.")],
    message="The sign-in has ended.",
    fails_with=[Problem.NOT_FOUND],
)
