"""The catalogue of errors: every way in which a request can fail, and the one body that reports it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpResponse

LAST_ADMIN = "organization_keeps_an_admin"
"""The name under which the database refuses that an organization loses its last administrator."""


class Problem(enum.Enum):
    """A way to fail. ``code`` is stable: HTTP status * 100 + n. ``message`` says what to do next."""

    MALFORMED_REQUEST = (
        40000,
        "The request could not be read; check it and try again.",
        "The query, the body or its content type is broken beyond a particular parameter.",
    )
    INVALID_ORG_ID = (
        40001,
        "org_id must be the id of an organization: decimal digits that fit into 64 bits.",
        "org_id holds something else than decimal digits, or a number beyond 2^63 - 1.",
    )
    REPEATED_PARAMETER = (
        40002,
        "Give the parameter once only.",
        "A query parameter that takes one value was given several times.",
    )
    INVALID_PARAMETER = (
        40003,
        "A parameter holds something else than it takes.",
        "A query parameter is malformed; the message names it.",
    )
    INVALID_FIELD = (
        40004,
        "A field is missing or holds something else than it takes.",
        "A field of the request's body is missing or malformed; the message names it.",
    )
    CHALLENGE_REQUIRED = (
        40005,
        "Reload the page and try again: the check against robots is missing.",
        "The deployment demands a proof of work: send the token of `/captcha/redeem` as `challenge_token`.",
    )
    CHALLENGE_FAILED = (
        40006,
        "Reload the page and try again: the check against robots has failed or was used before.",
        "The challenge is not solved, or its token is forged, has expired, was used before or is another deployment's.",
    )
    WEAK_PASSWORD = (
        40007,
        "Choose another password: this one is too easy to guess.",
        "The new password is too short, too common, or too similar to the user's names; the message says which.",
    )
    ADDRESS_TAKEN = (
        40008,
        "This e-mail address belongs to another account; sign in to that one with it.",
        "Another user of the deployment has the address, as the primary or a verified one. Only a right code shows it.",
    )
    DOMAIN_NOT_VERIFIED = (
        40009,
        "The domain could not be verified; check its TXT record.",
        "The DNS does not show the record that proves the domain, or not yet; the message says what it shows.",
    )
    NO_SESSION = (
        40101,
        "Sign in first: you are not signed in.",
        "No session token came in the cookie `__session` or as `Bearer` (in staging, nor in `__dev_session__`).",
    )
    INVALID_SESSION_TOKEN = (
        40102,
        "Sign in again: your session is not valid here.",
        "The token is malformed, forged, or was issued by or for another deployment.",
    )
    SESSION_EXPIRED = (
        40103,
        "Sign in again: the session has expired.",
        "The token or its session has reached its end.",
    )
    SESSION_ENDED = (
        40104,
        "Sign in again: the session has ended.",
        "The session was signed out, revoked or deleted.",
    )
    NO_ACTIVE_SIGN_IN = (
        40105,
        "Sign in: nobody is signed in to this session.",
        "The session is alive but has no active sign-in, or the sign-in has ended or expired.",
    )
    USER_DISABLED = (
        40106,
        "This account is disabled; ask your administrator.",
        "The signed-in user was disabled.",
    )
    TOKEN_REUSED = (
        40107,
        "Sign in again: this session was ended because somebody may have a copy of it.",
        "A session token that had long been replaced was used again, so somebody has a copy of it. The session ended.",
    )
    WRONG_CREDENTIALS = (
        40108,
        "The name or the password is wrong.",
        "No user of this name has this password. The answer does not say which of the two is wrong.",
    )
    WRONG_CODE = (
        40109,
        "The code is wrong or was used before; try the next one.",
        "The verification code fits neither the authenticator nor an unused backup code.",
    )
    SIGN_IN_ATTEMPT_OVER = (
        40110,
        "Begin again with the password: this sign-in attempt is over.",
        "The sign-in attempt does not exist in this session, was completed, has expired, or failed too often.",
    )
    TOKEN_REPLACED = (
        40111,
        "Try again: somebody has signed in to this session meanwhile.",
        "Somebody signed in to the session since the token was issued; with that, older tokens are good for nothing.",
    )
    TOKEN_NOT_YET_VALID = (
        40112,
        "Try again in a few seconds: your session is not valid yet.",
        "The token is good but lies in the future: the clocks of two servers differ. Keep it.",
    )
    WRONG_PASSWORD = (
        40113,
        "The password is wrong.",
        "The password that came to confirm a change is not the signed-in user's.",
    )
    OUTSIDE_TOKEN_USED = (
        40115,
        "Sign in again: this sign-in was used before.",
        "The outside issuer's token was used before; each is good for one sign-in.",
    )
    SIGN_UP_ATTEMPT_OVER = (
        40116,
        "Begin again: this sign-up is over.",
        "The sign-up attempt does not exist in this session, was completed, has expired, or its address has a user.",
    )
    RESET_OVER = (
        40117,
        "Have a new code sent: this one was used before, or is too old.",
        "The token of `/auth/forgot-password` is forged, was used, has expired, or the account has changed since.",
    )
    FORBIDDEN = (
        40301,
        "You may not do this.",
        "The caller is known but lacks the right to do this.",
    )
    FOREIGN_ORIGIN = (
        40302,
        "This site may not do this here; ask the operator to allow it.",
        "A request that changes something states no Origin, or one that is neither the deployment's own nor allowed.",
    )
    ENTRY_RESTRICTED = (
        40303,
        "You may not enter from here; the message says what to do.",
        "An eligibility restriction keeps the user out; the message is that of `eligibility_restriction`.",
    )
    CODE_REQUIRED = (
        40304,
        "Enter a code of your current authenticator, or a backup code, to go on.",
        "MFA changes only with a code of the current authenticator, in the field `verification_code`.",
    )
    RECENT_SIGN_IN_REQUIRED = (
        40305,
        "Enter your password, or sign in again, to go on.",
        "The change takes the password, in the field `password`, or a sign-in of the last ten minutes.",
    )
    AUTHENTICATOR_REQUIRED = (
        40306,
        "Set up an authenticator first: backup codes replace its codes.",
        "Backup codes need a confirmed authenticator.",
    )
    HTTPS_REQUIRED = (
        40307,
        "Use an address that begins with https://; nothing can be sent or changed over any other.",
        "A request that changes something came over plain http, where only https is taken. It was not processed.",
    )
    SIGN_UP_CLOSED = (
        40308,
        "Ask for an account: nobody can sign up here by themselves.",
        "The deployment's sign-up mode is `closed`.",
    )
    INVITATION_REQUIRED = (
        40309,
        "Follow the link of your invitation: only people who were invited can sign up here.",
        "The sign-up mode is `invitation`, and `invite_token` is missing, not good any more, or for another address.",
    )
    UNKNOWN_PATH = (
        40401,
        "There is nothing at this address; /docs/ lists those that there are.",
        "No endpoint has this path. Paths are exact: no prefix, no trailing slash.",
    )
    UNKNOWN_DEPLOYMENT = (
        40402,
        "There is no service at this address; check its name.",
        "The Host header names no deployment.",
    )
    NOT_A_MEMBER = (
        40403,
        "You are no member of such an organization.",
        "org_id is well-formed, but the user is no member of it. The answer is the same whether or not it exists.",
    )
    NOT_FOUND = (
        40404,
        "There is no such thing here.",
        "The thing that a parameter names does not exist, or not for this user. The answer is the same for both.",
    )
    METHOD_NOT_ALLOWED = (
        40501,
        "This cannot be done at this address; /docs/ says what can.",
        "The path exists, the method does not.",
    )
    NOT_ACCEPTABLE = (
        40601,
        "The answer comes as JSON only; ask for JSON.",
        "The Accept header excludes application/json.",
    )
    REQUEST_TIMEOUT = (
        40801,
        "The request took too long to arrive; check the connection and try again.",
        "The head or the body of the request did not come within its time.",
    )
    LAST_ADMINISTRATOR = (
        40901,
        "Make another member an administrator first: an organization cannot lose its last one.",
        "The change would leave an organization without any enabled member whose roles hold `organization:admin`.",
    )
    ROLE_IN_USE = (
        40902,
        "Take this role from all members first: it is in use.",
        "The role that is to be removed is held by members.",
    )
    LIMIT_REACHED = (
        40903,
        "You have as many of these as you may; ask the operator for more.",
        "A limit that the deployment sets on organizations or workspaces is reached.",
    )
    DOMAIN_TAKEN = (
        40904,
        "This domain belongs to another organization already; ask the operator if it should be yours.",
        "Another organization of the deployment has verified the domain. Nobody learns this without the right record.",
    )
    PRECONDITION_FAILED = (
        41201,
        "This has changed meanwhile; load it again.",
        "An If-Match header names another version of the answer.",
    )
    BODY_TOO_LARGE = (
        41301,
        "This is too large; send 64 KiB at most.",
        "The request's body is longer than 64 KiB.",
    )
    URI_TOO_LONG = (
        41401,
        "The address is too long; use at most 8,000 characters.",
        "The request line is longer than 8,190 bytes.",
    )
    UNSUPPORTED_MEDIA_TYPE = (
        41501,
        "Send this as JSON or as a form.",
        "The content type of the request's body is none of those that the endpoint reads.",
    )
    TOO_MANY_REQUESTS = (
        42901,
        "Too many attempts; wait a while and try again.",
        "A limit was reached.",
    )
    HEADERS_TOO_LARGE = (
        43101,
        "Your browser sends too much with each request; clear the cookies of this site.",
        "The head of the request is longer than 64 KiB.",
    )
    INTERNAL_ERROR = (
        50001,
        "Something went wrong on our side; try again, and tell the operator if it happens again.",
        "An unexpected error. It is in the service's log.",
    )
    UNAVAILABLE = (
        50301,
        "The service is briefly unavailable; try again in a few seconds.",
        "The database cannot be reached or is late, too many requests wait, or a thing was deleted at the same moment.",
    )

    def __init__(self, code: int, message: str, cause: str) -> None:
        self.code = code
        self.message = message
        self.cause = cause

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.code // 100


class ApiError(Exception):
    """Raise it anywhere below a view to answer with ``problem``; ``message`` replaces the catalogue's."""

    def __init__(
        self, problem: Problem, message: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        self.problem = problem
        self.message = message or problem.message
        self.headers = dict(headers or {})
        super().__init__(f"{problem.code} {self.message}")


def error_body(problem: Problem, message: str | None = None) -> dict[str, Any]:
    """The envelope of errors: ``{"errors": [{"message": str, "code": int}]}``."""
    return {"errors": [{"message": message or problem.message, "code": problem.code}]}


def error_response(
    problem: Problem, message: str | None = None, *, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """The answer for ``problem``, with the headers that go with its status."""
    response = HttpResponse(
        orjson.dumps(error_body(problem, message)), status=problem.status, content_type="application/json"
    )
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Cookie, Authorization, Origin"
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = 'Session realm="rollcall"'  # RFC 9110, 11.6.1: a 401 must name a scheme
    if problem.status == 503:
        response.headers["Retry-After"] = "2"
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response
