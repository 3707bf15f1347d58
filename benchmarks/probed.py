"""Requests in pairs: one names something that exists but is not the caller's to know, the other something else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

NOWHERE = 2**62
"""An id that nothing has."""


@dataclass(frozen=True)
class Target:
    """The server, the session, and rows of others that exist there."""

    base_url: str
    session: str
    email: str
    workspace: int
    organization: int
    sign_in: int
    admin: str = ""
    """The session of an administrator of ``own_organization``; without, nothing is measured in it."""
    own_organization: int = 0
    stranger: str = ""
    """The address of a user who is no member of it."""
    foreign_token: str = ""
    """The token of an open invitation of another deployment."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: str = ""
    with_session: bool = True
    name: str = ""
    """The name in it, which an answer may repeat."""
    as_admin: bool = False
    undo: str = ""
    """The path, with ``{id}`` of the answer's data in it, of a POST that undoes what the request has done, untimed."""
    first: Request | None = None
    """Sent before, in the same session, and not timed. ``{attempt}`` in the path is its sign-up attempt."""


@dataclass(frozen=True)
class Pair:
    name: str
    existing: Request
    missing: Request


def pairs(target: Target) -> list[Pair]:
    name, at, domain = target.email.rpartition("@")
    unknown = f"{name[:1]}{'q' * len(name[1:])}{at}{domain}"  # the same to whoever masks it
    switch, memberships = "/session/switch-workspace?workspace_id=", "/me/workspace-memberships?org_id="
    other_sign_in = "/session/switch-sign-in?sign_in_id="
    by_email = {
        "wrong password": _wrong_password,
        "identify": _identify,
        "sign-up": _sign_up,
        "sign-up, have the code sent": _prepare,
        "sign-up, wrong code": _wrong_code,
        "forgotten password": _forgot,
        "forgotten password, wrong code": _forgot_code,
        "the request after a forgotten password": _after_forgot,
    }
    return [
        *(
            Pair(f"{what}: existing e-mail, unknown", request(target.email), request(unknown))
            for what, request in by_email.items()
        ),
        Pair(
            "workspace: foreign, nonexistent",
            Request("POST", f"{switch}{target.workspace}"),
            Request("POST", f"{switch}{NOWHERE}"),
        ),
        Pair(
            "organization: foreign, nonexistent",
            Request("GET", f"{memberships}{target.organization}"),
            Request("GET", f"{memberships}{NOWHERE}"),
        ),
        Pair(
            "sign-in: foreign, nonexistent",
            Request("POST", f"{other_sign_in}{target.sign_in}"),
            Request("POST", f"{other_sign_in}{NOWHERE}"),
        ),
        *_places(target),
        *(_own_organization(target) if target.admin else []),
    ]


def _places(target: Target) -> list[Pair]:
    """Every endpoint below /organizations/{id} and /workspaces/{id}, as the server's own document lists them."""
    url = urlsplit(target.base_url)
    connection = HTTPConnection(str(url.hostname), url.port, timeout=60)
    connection.request("GET", "/openapi.json")
    paths = json.loads(connection.getresponse().read())["paths"]
    connection.close()
    found = []
    for path, methods in paths.items():
        if not path.startswith(("/organizations/{id}", "/workspaces/{id}")):
            continue
        foreign = target.organization if path.startswith("/organizations") else target.workspace
        existing, missing = (re.sub(r"\{\w+\}", "1", path.replace("{id}", str(id_))) for id_ in (foreign, NOWHERE))
        found += [
            Pair(
                f"{method} {path}: foreign, nonexistent",
                *(Request(method, asked, "{}" if method == "POST" else "") for asked in (existing, missing)),
            )
            for method in map(str.upper, methods)
        ]
    return found


def _own_organization(target: Target) -> list[Pair]:
    """Requests by which an administrator could find out about users and about parts of other organizations."""
    place = f"/organizations/{target.own_organization}"
    at, domain = target.stranger.rpartition("@")[1:]
    unknown = f"{'q' * len(target.stranger.rpartition('@')[0])}{at}{domain}"

    def invite(email: str) -> Request:
        undo = f"{place}/invitations/{{id}}/discard"
        body = json.dumps({"email": email})
        return Request("POST", f"{place}/invitations", body, as_admin=True, name=email, undo=undo)

    def invite_to(workspace: int) -> Request:
        body = json.dumps({"email": unknown, "workspace_id": str(workspace)})
        return Request("POST", f"{place}/invitations", body, as_admin=True)

    def accept(token: str) -> Request:
        body = json.dumps({"token": token})
        return Request("POST", "/organizations/invitations/accept", body, with_session=False)

    return [
        Pair("invitation: existing e-mail, unknown", invite(target.stranger), invite(unknown)),
        Pair("invitation to a workspace: foreign, nonexistent", invite_to(target.workspace), invite_to(NOWHERE)),
        Pair(
            "acceptance: another deployment's token, unknown",
            accept(target.foreign_token),
            accept("q" * len(target.foreign_token)),
        ),
    ]


def _by_stranger(path: str, email: str, body: dict[str, str], first: Request | None = None) -> Request:
    return Request("POST", path, json.dumps(body), with_session=False, name=email, first=first)


def _wrong_password(email: str) -> Request:
    body = {"strategy": "plain_email", "email": email, "password": "not the password"}
    return _by_stranger("/auth/signin", email, body)


def _identify(email: str) -> Request:
    return _by_stranger("/auth/identify", email, {"identifier": email})


def _sign_up(email: str) -> Request:
    return _by_stranger("/auth/signup", email, {"email": email, "password": "seven lazy foxes jump"})


def _prepare(email: str) -> Request:
    path = "/auth/prepare-verification?identifier_type=signup&attempt_identifier={attempt}"
    return _by_stranger(path, email, {}, _sign_up(email))


def _wrong_code(email: str) -> Request:
    path = "/auth/attempt-verification?identifier_type=signup&attempt_identifier={attempt}"
    return _by_stranger(path, email, {"verification_code": "no code"}, _prepare(email))


def _forgot(email: str) -> Request:
    return _by_stranger("/auth/forgot-password", email, {"email": email})


def _forgot_code(email: str) -> Request:
    return _by_stranger("/auth/forgot-password", email, {"email": email, "otp": "no code"}, _forgot(email))


def _after_forgot(email: str) -> Request:
    """The mail of the request before may be on its way now."""
    return Request("GET", "/session", with_session=False, name=email, first=_forgot(email))
