"""Describes the endpoints of signing in and up for the OpenAPI document."""

from __future__ import annotations

from django.conf import settings

from accounts.answers import rendering as accounts_rendering
from accounts.answers.rows import SignUpAttemptRow
from accounts.answers.serializers import (
    SIGN_IN_REQUEST,
    ForgotPasswordRequestSerializer,
    ForgotPasswordSerializer,
    ResetPasswordRequestSerializer,
    SentCodeSerializer,
    SignUpRequestSerializer,
    VerifyOTPRequestSerializer,
)
from api.errors import Problem
from api.openapi import UNSETTLED, endpoint, envelope, enveloped
from memberships.schema import AWAITING, AWAITING_CODE, NOBODY, SESSION, SIGNED_IN, id_query, one_of

_COMPLETED = accounts_rendering.sign_in_attempt(AWAITING._replace(is_completed=True))
_COMPLETED_AT_ONCE = accounts_rendering.sign_in_attempt(
    AWAITING._replace(is_completed=True, has_authenticator=False, has_backup_codes=False)
)
_SIGNING_UP = SignUpAttemptRow(
    id="518",
    session_id="88121",
    first_name="Ada",
    last_name="Lindqvist",
    email="ada@example.com",
    username="ada",
)
_SIGNED_UP = accounts_rendering.sign_up_attempt(_SIGNING_UP._replace(is_completed=True))

_ATTEMPT = [
    id_query("attempt_identifier", "The id of the attempt.", required=True),
    one_of("identifier_type", "", "signin", "signup", description="`signup` for a sign-up, else `signin` or empty."),
]

# In demo mode the example of a sign-in is one that works; the playground shows the same password.
_EMAIL, _USERNAME = ("chioma@demo.example", "chioma") if settings.DEMO else ("ada@example.com", "ada")
_PASSWORD = settings.DEMO_PASSWORD if settings.DEMO else "correct horse battery staple"

sign_in = endpoint(
    "SignIn",
    "Sign in",
    tag="Sign-in",
    method="POST",
    description=(
        "With a password, by e-mail address or username, or with the token of an outside issuer. `active_signin` is "
        "set if that was all, and the last of `signin_attempts` is the completed attempt; else it says which kind of "
        "MFA code is awaited. A deployment may demand a `challenge_token` with a password, which is good for one "
        "sign-in; a wrong password gives it back."
    ),
    request=SIGN_IN_REQUEST,
    requests={
        "by e-mail address": {"strategy": "plain_email", "email": _EMAIL, "password": _PASSWORD},
        "by username": {"strategy": "plain_username", "username": _USERNAME, "password": _PASSWORD},
        "by a code sent by e-mail": {"strategy": "email_otp", "email": _EMAIL},
        "by an outside issuer": {"strategy": "outside_token", "token": "eyJhbGciOiJFUzI1NiIs..."},
    },
    answers=SESSION,
    examples={
        "signed in": enveloped(SIGNED_IN | {"signin_attempts": [_COMPLETED_AT_ONCE]}, "Your session."),
        "MFA code awaited": enveloped(AWAITING_CODE, "Your session."),
    },
    fails_with=[
        Problem.INVALID_FIELD,
        Problem.CHALLENGE_REQUIRED,
        Problem.CHALLENGE_FAILED,
        Problem.WRONG_CREDENTIALS,
        Problem.INVALID_SESSION_TOKEN,
        Problem.SESSION_EXPIRED,
        Problem.OUTSIDE_TOKEN_USED,
        Problem.USER_DISABLED,
        Problem.TOO_MANY_REQUESTS,
    ],
)

prepare_verification = endpoint(
    "PrepareVerification",
    "Have the code of a sign-in or sign-up sent by e-mail",
    tag="Sign-in",
    method="POST",
    description=(
        "For an attempt whose `current_step` is `verify_email_otp`, or `verify_email` of a sign-up. The code is good "
        "for ten minutes and five tries; the one before is void. The answer is the same whether or not anybody has the "
        "address; somebody who signs up with one that has an account gets a mail that says so, without a code."
    ),
    parameters=[
        *_ATTEMPT,
        one_of("strategy", "", "email_otp", description="`email_otp`, or empty."),
    ],
    answers=envelope("PrepareVerificationResponse", SentCodeSerializer()),
    examples={
        "sent": enveloped(
            {"otp_sent": True, "masked_email": "a***@example.com", "verification_method": "email_otp"},
            "Enter the code of the e-mail that you have just got.",
        )
    },
    fails_with=[
        *UNSETTLED,
        Problem.INVALID_PARAMETER,
        Problem.SIGN_IN_ATTEMPT_OVER,
        Problem.SIGN_UP_ATTEMPT_OVER,
        Problem.SIGN_UP_CLOSED,
        Problem.INVITATION_REQUIRED,
        Problem.TOO_MANY_REQUESTS,
    ],
)

attempt_verification = endpoint(
    "AttemptVerification",
    "Give the code that an attempt awaits",
    tag="Sign-in",
    method="POST",
    description=(
        "A code of the authenticator, a backup code, or the code of a mail. Five wrong ones end a sign-in attempt. "
        "With its code a sign-up becomes a user, who is signed in. A username that somebody else has is left out, and "
        "is then among the attempt's `missing_fields`."
    ),
    parameters=_ATTEMPT,
    request=VerifyOTPRequestSerializer,
    requests={"a code": {"verification_code": "492039"}, "a backup code": {"verification_code": "k7mq2vxt9a"}},
    answers=SESSION,
    examples={
        "signed in": enveloped(SIGNED_IN | {"signin_attempts": [_COMPLETED]}, "Your session."),
        "signed up": enveloped(SIGNED_IN | {"signup_attempts": [_SIGNED_UP]}, "Your session."),
    },
    fails_with=[
        *UNSETTLED,
        Problem.INVALID_PARAMETER,
        Problem.INVALID_FIELD,
        Problem.WRONG_CODE,
        Problem.SIGN_IN_ATTEMPT_OVER,
        Problem.SIGN_UP_ATTEMPT_OVER,
        Problem.SIGN_UP_CLOSED,
        Problem.INVITATION_REQUIRED,
        Problem.TOO_MANY_REQUESTS,
    ],
)

sign_up = endpoint(
    "SignUp",
    "Sign up",
    tag="Sign-up",
    method="POST",
    description=(
        "Where the deployment allows it. The last of `signup_attempts` is the attempt: `/auth/prepare-verification` "
        "sends a code to its address, and `/auth/attempt-verification` takes the code and makes the user, both with "
        "`identifier_type=signup`. The answer is the same whether or not anybody has the address or the username. The "
        "password must have 12 characters, be none of those that everybody tries, and not resemble the names. A "
        "deployment may demand a `challenge_token`, which is good for one sign-up."
    ),
    request=SignUpRequestSerializer,
    requests={
        "with a username": {
            "first_name": "Ada",
            "last_name": "Lindqvist",
            "email": "ada.lindqvist@example.com",
            "username": "lindqvist",
            "password": "correct horse battery staple",
        },
        "the least": {"email": "ada.lindqvist@example.com", "password": "correct horse battery staple"},
    },
    answers=SESSION,
    examples={
        "code awaited": enveloped(
            NOBODY | {"signup_attempts": [accounts_rendering.sign_up_attempt(_SIGNING_UP)]}, "Your session."
        )
    },
    fails_with=[
        Problem.INVALID_FIELD,
        Problem.WEAK_PASSWORD,
        Problem.CHALLENGE_REQUIRED,
        Problem.CHALLENGE_FAILED,
        Problem.SIGN_UP_CLOSED,
        Problem.INVITATION_REQUIRED,
        Problem.TOO_MANY_REQUESTS,
    ],
)

forgot_password = endpoint(
    "ForgotPassword",
    "Have a code sent for a new password, and exchange it",
    tag="Sign-in",
    method="POST",
    description=(
        "With `email` alone, a code goes to the user whose primary or verified address that is, if they have a "
        "password; the answer is `{}` whether or not there is such a user. The code is good for ten minutes and five "
        "tries. With `email` and `otp` the answer is a token for `/auth/reset-password`, good for ten minutes and once."
    ),
    request=ForgotPasswordRequestSerializer,
    requests={"first": {"email": "ada@example.com"}, "then": {"email": "ada@example.com", "otp": "492039"}},
    answers=envelope("ForgotPasswordResponse", ForgotPasswordSerializer()),
    examples={
        "code sent, if there is such a user": enveloped(
            {}, "If there is an account with this address, we have sent a code to it."
        ),
        "code exchanged": enveloped({"token": "WzEsNTEwNCwi..."}, "Choose a new password."),
    },
    fails_with=[Problem.INVALID_FIELD, Problem.WRONG_CODE, Problem.TOO_MANY_REQUESTS],
)

reset_password = endpoint(
    "ResetPassword",
    "Set a new password with the token of a code",
    tag="Sign-in",
    method="POST",
    description=(
        "The user is signed out everywhere, told by mail, and signed in here; the last of `signin_attempts` is the "
        "completed attempt. A user who has MFA is not signed in yet: the attempt awaits the code, as after a password. "
        "A password that is too weak leaves the token good."
    ),
    request=ResetPasswordRequestSerializer,
    requests={"a new password": {"token": "WzEsNTEwNCwi...", "password": "correct horse battery staple"}},
    answers=SESSION,
    examples={
        "signed in": enveloped(SIGNED_IN | {"signin_attempts": [_COMPLETED_AT_ONCE]}, "Your session."),
        "MFA code awaited": enveloped(AWAITING_CODE, "Your session."),
    },
    fails_with=[Problem.INVALID_FIELD, Problem.WEAK_PASSWORD, Problem.RESET_OVER],
)
