"""The endpoints under /session and /auth, and GET /me."""

from __future__ import annotations

from functools import partial
from typing import cast

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.answers import rendering as accounts_rendering
from accounts.authentication import sessions
from accounts.authentication.classes import end_all_sessions, require_settled
from accounts.authentication.sent_tokens import send_token, send_visitors_token
from accounts.authentication.sessions import Caller, SignedIn
from accounts.models import SignInAttempt, SignUpAttempt, User
from accounts.polled.viewsets import PolledViewSet, SessionViewSet, VisitorViewSet
from accounts.self_service import picture, profile
from accounts.sign_in import challenges, signing_in, signing_up
from accounts.sign_in.signing_in import Client, SignInResult
from accounts.tokens import session_tokens
from api.answers import answer
from api.bounds import MAX_PICTURE
from api.client_address import client_address_of
from api.errors import ApiError, Problem
from api.requests import body_of, file_field, id_parameter, single_parameter, text_field
from memberships import invitations, schema
from memberships.session import access_token, active, current_user, session_state, sign_in_schema
from memberships.session.session_state import session_data


class SessionStateViewSet(PolledViewSet):
    """The session of the browser, with or without somebody signed in."""

    source = session_state.SOURCE

    @schema.current_session
    def retrieve(self, request: Request) -> HttpResponse:
        return self.polled(request)


class SignOutViewSet(VisitorViewSet):
    """Signing out, and switching between the sign-ins of a session."""

    @schema.sign_out
    def sign_out(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        require_settled(request)
        sign_in_id = id_parameter(request, "sign_in_id")
        if not caller.is_visitor:
            caller = sessions.sign_out(caller, sign_in_id)
            if caller.is_visitor:
                end_all_sessions(request)
                send_visitors_token(request, caller)
        elif sign_in_id is not None:
            raise ApiError(Problem.NOT_FOUND, "There is no such sign-in in this session.")
        return session_answer(request, caller)

    @schema.switch_sign_in
    def switch_sign_in(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        require_settled(request)
        if caller.is_visitor:
            raise ApiError(Problem.NO_ACTIVE_SIGN_IN)
        sessions.switch_sign_in(caller.session, id_parameter(request, "sign_in_id"))
        return session_answer(request, caller)


class SwitchViewSet(SessionViewSet):
    """Switches the active organization and workspace."""

    @schema.switch_organization
    def switch_organization(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        active.switch_organization(caller, id_parameter(request, "organization_id"), address=client_address_of(request))
        return session_answer(request, caller)

    @schema.switch_workspace
    def switch_workspace(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        active.switch_workspace(caller, id_parameter(request, "workspace_id"), address=client_address_of(request))
        return session_answer(request, caller)


class AccessTokenViewSet(PolledViewSet):
    """Issues access tokens for the product's back-ends."""

    source = access_token.SOURCE

    @schema.access_token
    def retrieve(self, request: Request) -> HttpResponse:
        access_token.make_ready(cast(SignedIn, request.auth).deployment)
        return self.polled(request)


class SignInViewSet(VisitorViewSet):
    """Signing in, in one step or two."""

    @sign_in_schema.sign_in
    def sign_in(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        body = body_of(request)
        client = client_of(request)
        strategy = text_field(body, "strategy")
        if strategy == "outside_token":
            result = signing_in.sign_in_with_outside_token(
                caller, client, token=text_field(body, "token", max_length=session_tokens.MAX_LENGTH)
            )
        elif strategy == SignInAttempt.Method.EMAIL_CODE:
            email = text_field(body, "email", max_length=254)
            with challenges.spending(caller.deployment, body):
                result = signing_in.begin_with_mailed_code(caller, client, email=email)
        elif strategy in SignInAttempt.Method.values:
            method = SignInAttempt.Method(strategy)
            name = text_field(body, "email" if method == SignInAttempt.Method.EMAIL else "username")
            password = text_field(body, "password")
            with challenges.spending(caller.deployment, body):
                result = signing_in.sign_in_with_password(caller, client, method=method, name=name, password=password)
        else:
            raise ApiError(
                Problem.INVALID_FIELD, "strategy must be plain_email, plain_username, email_otp or outside_token."
            )
        return signed_in_answer(request, caller, result)

    @sign_in_schema.prepare_verification
    def prepare_verification(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        require_settled(request)
        mail_code = signing_up.mail_code if _is_sign_up(request) else signing_in.mail_code
        if single_parameter(request, "strategy") not in ("", "email_otp"):
            raise ApiError(Problem.INVALID_PARAMETER, "strategy must be email_otp.")
        attempt: SignInAttempt | SignUpAttempt = mail_code(caller, client_of(request), attempt_id=_attempt_id(request))
        return answer(
            request,
            message="Enter the code of the e-mail that you have just got.",
            data=accounts_rendering.sent_code(attempt),
            session=caller.session_summary,
        )

    @sign_in_schema.attempt_verification
    def attempt_verification(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        require_settled(request)
        is_sign_up = _is_sign_up(request)
        attempt_id = _attempt_id(request)
        code = text_field(body_of(request), "verification_code", max_length=50)
        client = client_of(request)
        if is_sign_up:
            join = partial(invitations.accept_by_hash, caller.deployment)
            result = signing_up.complete(caller, client, attempt_id=attempt_id, code=code, join=join)
        else:
            result = signing_in.sign_in_with_code(caller, client, attempt_id=attempt_id, code=code)
        return signed_in_answer(request, caller, result)


class CurrentUserViewSet(PolledViewSet):
    """The signed-in user."""

    source = current_user.SOURCE

    @schema.current_user
    def retrieve(self, request: Request) -> HttpResponse:
        return self.polled(request)

    @schema.update_current_user
    def update(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        profile.update(caller.user, body_of(request), address=client_address_of(request))
        return current_user_answer(request, caller)

    @schema.update_picture
    def update_picture(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        picture.change(caller.user, file_field(body_of(request), "file", max_bytes=MAX_PICTURE))
        return current_user_answer(request, caller)


def current_user_answer(request: Request, caller: Caller) -> HttpResponse:
    """200 with the ``CurrentUser`` as it is now."""
    data = current_user.current_user(caller)
    return answer(request, message=current_user.MESSAGE, data=data, session=caller.session_summary)


def _is_sign_up(request: Request) -> bool:
    """Whether the attempt that the request names is one to sign up."""
    kind = single_parameter(request, "identifier_type")
    if kind not in ("", "signin", "signup"):
        raise ApiError(Problem.INVALID_PARAMETER, "identifier_type must be signin or signup.")
    return kind == "signup"


def _attempt_id(request: Request) -> int:
    attempt_id = id_parameter(request, "attempt_identifier")
    if attempt_id is None:
        raise ApiError(Problem.INVALID_PARAMETER, "attempt_identifier must be the id of an attempt.")
    return attempt_id


def client_of(request: Request) -> Client:
    return Client(client_address_of(request), request.headers.get("User-Agent", ""))


def signed_in_answer(request: Request, caller: Caller, result: SignInResult) -> HttpResponse:
    """The session after a step of signing in or up, with its token.

    While a code is awaited, nobody is shown as active, even if somebody else is signed in to the session:
    clients conclude from this that a step is missing. Some conclude from the attempt that none is, so the answer that
    completes an attempt shows it.
    """
    session = result.session
    if result.is_complete and session.active_sign_in is not None:
        active.resume(session.active_sign_in)
    if result.is_complete or session.pk != caller.session.pk:
        send_token(request, session, sessions.session_token(session))
    caller = Caller(caller.deployment, session)
    data = session_data(caller) | ({} if result.is_complete else {"active_signin": None})
    match result.attempt:
        case SignUpAttempt() as attempt:
            shown = accounts_rendering.completed_sign_up(attempt, missing=result.missing)
            data["signup_attempts"].append(shown)
        case SignInAttempt(user=User() as user) as attempt:
            data["signin_attempts"].append(accounts_rendering.completed_attempt(attempt, user))
    return answer(request, message=session_state.MESSAGE, data=data, session=caller.session_summary)


def session_answer(request: Request, caller: Caller) -> HttpResponse:
    """200 with a ``Session``."""
    return answer(request, message=session_state.MESSAGE, data=session_data(caller), session=caller.session_summary)
