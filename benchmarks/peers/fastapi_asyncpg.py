"""FastAPI with asyncpg, as fast as it goes: one prepared statement builds the body, Python verifies the token.

Deployments and their keys are read once, when a worker starts; ours may change under way.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import jwt
import orjson
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from fastapi import FastAPI, Request, Response

from benchmarks.peers.statement import STATEMENT

CONNECTIONS = int(os.environ["THREADS"])
"""As many as the other servers have in each worker."""


@dataclass(frozen=True)
class Deployment:
    id: int
    issuer: str
    keys: dict[str, Any] = field(default_factory=dict)


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
    for id_, host, kid, pem in await pool.fetch(
        "SELECT deployment.id, host, kid, public_key FROM accounts_deployment deployment "
        "JOIN accounts_signingkey key ON key.deployment_id = deployment.id "
        "WHERE issuer = '' AND retired_at IS NULL AND revoked_at IS NULL"
    ):
        deployment = deployments.setdefault(host, Deployment(id_, f"https://{host}"))
        deployment.keys[kid] = load_pem_public_key(pem)
    return deployments


async def workspace_memberships(request: Request) -> Response:
    deployment = request.app.state.deployments.get(request.headers["host"].partition(":")[0])
    if deployment is None:
        return _error(404, "There is no deployment at this host.")
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
    except (jwt.PyJWTError, KeyError):
        return _error(401, "Sign in.")
    address = request.client.host if request.client else None
    body = await request.app.state.pool.fetchval(STATEMENT, int(claims["sess"]), deployment.id, address)
    return _error(401, "Sign in.") if body is None else Response(body, media_type="application/json")


def _error(status: int, message: str) -> Response:
    return Response(orjson.dumps({"errors": [{"message": message, "code": status * 100}]}), status)


app = FastAPI(lifespan=lifespan, openapi_url=None)
app.add_api_route("/me/workspace-memberships", workspace_memberships, response_model=None)
