"""FastAPI with asyncpg, as fast as it goes: one prepared statement builds the body, Python verifies and signs tokens.

Deployments and their keys are read once, when a worker starts; ours may change under way.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import jwt
import orjson
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from fastapi import FastAPI, Request, Response

from benchmarks.peers import statements

CONNECTIONS = int(os.environ["THREADS"])
"""As many as the other servers have in each worker."""
ACCESS_TOKEN_LIFETIME = 30


@dataclass
class Deployment:
    id: int
    issuer: str
    keys: dict[str, Any] = field(default_factory=dict)
    kid: str = ""
    """Of the newest key, which signs."""
    private_key: Any = None


class Refusal(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(
        os.environ["DATABASE_URL"],
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        init=_pass_text_through,
        reset=_leave_as_it_is,
        server_settings={"jit": "off", "plan_cache_mode": "force_generic_plan"},
    ) as pool:
        app.state.pool = pool
        app.state.deployments = await _deployments(pool)
        yield


async def _pass_text_through(connection: Any) -> None:
    """The body goes out as it came: no decoding and encoding of a megabyte."""
    await connection.set_type_codec(
        "text", schema="pg_catalog", format="binary", encoder=lambda value: value.encode(), decoder=bytes
    )


async def _leave_as_it_is(connection: Any) -> None:
    """Nothing here changes a connection; resetting it would be another round trip for each request."""


async def _deployments(pool: Any) -> dict[str, Deployment]:
    deployments: dict[str, Deployment] = {}
    secret = Fernet(os.environ["KEY_ENCRYPTION_KEYS"])
    newest = None
    for id_, host, kid, public, private in await pool.fetch(
        "SELECT deployment.id, host, kid, public_key, private_key FROM accounts_deployment deployment "
        "JOIN accounts_signingkey key ON key.deployment_id = deployment.id "
        "WHERE issuer = '' AND retired_at IS NULL AND revoked_at IS NULL "
        "ORDER BY deployment.id, key.created_at DESC, key.id DESC"
    ):
        deployment = deployments.setdefault(host, Deployment(id_, f"https://{host}"))
        deployment.keys[kid] = load_pem_public_key(public)
        if id_ != newest:
            newest = id_
            deployment.kid, deployment.private_key = kid, load_pem_private_key(secret.decrypt(private), None)
    return deployments


def _caller(request: Request) -> tuple[Deployment, int]:
    """The deployment, and the session that the token names."""
    deployment = request.app.state.deployments.get(request.headers["host"].partition(":")[0])
    if deployment is None:
        raise Refusal(404)
    token = request.cookies.get("__session", "")
    try:
        claims = jwt.decode(
            token,
            deployment.keys[jwt.get_unverified_header(token)["kid"]],
            algorithms=["ES256"],
            issuer=deployment.issuer,
            leeway=5,
            options={"require": ["iss", "iat", "nbf", "exp", "sess"]},
        )
    except (jwt.PyJWTError, KeyError) as error:
        raise Refusal(401) from error
    return deployment, int(claims["sess"])


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


async def workspace_memberships(request: Request) -> Response:
    """Without an ETag: a digest of up to megabytes would take more than a 304 could save."""
    deployment, session = _caller(request)
    return Response(
        await _body(request, statements.WORKSPACE_MEMBERSHIPS, session, deployment.id, _address(request)),
        media_type="application/json",
    )


async def organization_memberships(request: Request) -> Response:
    deployment, session = _caller(request)
    return _conditional(
        request, await _body(request, statements.ORGANIZATION_MEMBERSHIPS, session, deployment.id, _address(request))
    )


async def session(request: Request) -> Response:
    deployment, session = _caller(request)
    return _conditional(request, await _body(request, statements.SESSION, session, deployment.id))


async def me(request: Request) -> Response:
    deployment, session = _caller(request)
    return _conditional(request, await _body(request, statements.ME, session, deployment.id))


async def deployment(request: Request) -> Response:
    deployment, session = _caller(request)
    return _conditional(request, await _body(request, statements.DEPLOYMENT, session, deployment.id))


async def access_token(request: Request) -> Response:
    deployment, session = _caller(request)
    row = await request.app.state.pool.fetchrow(statements.ACTING, session, deployment.id, _address(request))
    if row is None:
        raise Refusal(401)
    in_workspace = row["workspace"] is not None and row["may_enter_workspace"]
    in_organization = row["organization"] is not None and (row["may_enter_organization"] or in_workspace)
    now = int(time.time())
    expires_at = now + ACCESS_TOKEN_LIFETIME
    claims = {
        "iss": deployment.issuer,
        "iat": now,
        "nbf": now,
        "exp": expires_at,
        "aud": deployment.issuer,
        "client_id": deployment.issuer,
        "jti": secrets.token_hex(16),
        "sub": str(row["user_id"]),
        "sid": str(session),
        "organization": str(row["organization"]) if in_organization else "",
        "organization_permissions": _each_once(row["organization_permissions"]) if in_organization else [],
        "workspace": str(row["workspace"]) if in_workspace else "",
        "workspace_permissions": _each_once(row["workspace_permissions"]) if in_workspace else [],
    }
    headers = {"kid": deployment.kid, "typ": "at+jwt"}
    token = jwt.encode(claims, deployment.private_key, algorithm="ES256", headers=headers)
    data = {"token": token, "expires": expires_at * 1000}
    message = "An access token for your back-ends."
    return Response(
        orjson.dumps({"status": 200, "message": message, "data": data, "session": orjson.Fragment(row["session"])}),
        media_type="application/json",
    )


def _each_once(permissions: list[Any]) -> list[str]:
    """As varchar or text: text passes through as bytes."""
    return [
        permission.decode() if isinstance(permission, bytes) else permission
        for permission in dict.fromkeys(permissions)
    ]


async def _body(request: Request, statement: str, *values: Any) -> bytes:
    body: bytes | None = await request.app.state.pool.fetchval(statement, *values)
    if body is None:
        raise Refusal(401)
    return body


def _conditional(request: Request, body: bytes) -> Response:
    """``body`` with its ETag, or 304 if the client has it."""
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, media_type="application/json", headers={"ETag": etag})


async def _refused(request: Request, refusal: Any) -> Response:
    message = "Sign in." if refusal.status == 401 else "There is no deployment at this host."
    return Response(
        orjson.dumps({"errors": [{"message": message, "code": refusal.status * 100}]}), status_code=refusal.status
    )


app = FastAPI(lifespan=lifespan, openapi_url=None, exception_handlers={Refusal: _refused})
for _path, _answer in {
    "/me/workspace-memberships": workspace_memberships,
    "/me/organization-memberships": organization_memberships,
    "/session": session,
    "/me": me,
    "/deployment": deployment,
    "/session/token": access_token,
}.items():
    app.add_api_route(_path, _answer, response_model=None)
