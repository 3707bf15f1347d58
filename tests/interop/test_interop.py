"""Tools of another language, which know nothing of this code: a JWT library, and a compiler of typed clients."""

from __future__ import annotations

import json
import re
from textwrap import dedent
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from accounts.tokens.keys import rotate_keys
from config.environment import BASE_DIR
from tests.interop.conftest import FOLDER, run, tool
from tests.support.api import ApiClient, data_of, document
from tests.support.factories import DeploymentFactory, UserFactory, token_of


@pytest.mark.usefixtures("node", "transactional_db")
def test_a_jwt_library_verifies_session_and_access_tokens_across_a_rotation(live_server: LiveServer) -> None:
    deployment = DeploymentFactory.create(host="localhost")
    user = UserFactory.create(deployment=deployment)
    session_token = token_of(user)
    old = deployment.signing_keys.get()
    new = rotate_keys(deployment)
    result = run("node", "verify.mjs", live_server.url, "https://localhost", session_token)
    assert result.returncode == 0, result.stderr
    claims: dict[str, Any] = json.loads(result.stdout)
    session = user.sign_ins.get().session
    assert claims["session"]["kid"] == old.kid
    assert claims["session"]["sess"] == str(session.pk)
    assert claims["access"]["kid"] == new.kid
    assert claims["access"]["sub"] == str(user.pk)
    assert claims["access"]["sid"] == str(session.pk)
    assert claims["access"]["aud"] == "https://localhost"
    assert claims["access"]["iss"] == claims["session"]["iss"] == "https://localhost"


@pytest.mark.usefixtures("node", "transactional_db")
def test_a_jwt_library_refuses_another_deployments_tokens(live_server: LiveServer) -> None:
    DeploymentFactory.create(host="localhost")
    token = token_of(UserFactory.create())
    result = run("node", "verify.mjs", live_server.url, "https://localhost", token)
    assert result.returncode != 0
    assert "JWKSNoMatchingKey" in result.stderr


@pytest.mark.usefixtures("node", "transactional_db")
def test_the_documented_check_of_a_back_end_takes_access_tokens_alone(live_server: LiveServer) -> None:
    """Neither a session token nor a visitor's, which the same keys have signed."""
    deployment = DeploymentFactory.create(host="localhost")
    user = UserFactory.create(deployment=deployment)
    client, visitor = ApiClient(deployment, user), ApiClient(deployment)
    visitor.get("/session")
    tokens = [data_of(client.get("/session/token"))["token"], client.token, visitor.token]
    (check,) = re.findall(r"(?s)```js\n(const keys = .*?)```", (BASE_DIR / "docs" / "sessions.md").read_text())
    host, jwks = "https://accounts.example.com", "/.well-known/jwks.json"
    assert f"{host}{jwks}" in check
    check = check.replace(f"{host}{jwks}", f"{live_server.url}{jwks}").replace(host, "https://localhost")
    program = f"""
        import {{ createRemoteJWKSet, jwtVerify }} from "jose";
        async function check(token) {{ {check} return payload.sub; }}
        const results = {json.dumps(tokens)}.map((token) => check(token).catch((error) => error.code));
        console.log(JSON.stringify(await Promise.all(results)));
    """
    result = run("node", "--input-type=module", "--eval", program)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [str(user.pk), *["ERR_JWT_CLAIM_VALIDATION_FAILED"] * 2]


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a file with the OpenAPI document."""
    path = tmp_path_factory.mktemp("description") / "openapi.json"
    path.write_text(json.dumps(document()))
    return str(path)


@pytest.mark.usefixtures("node")
def test_a_typed_client_and_the_loop_in_the_readme_compile(description: str) -> None:
    """Against the types that openapi-typescript makes of the OpenAPI document."""
    made = tool("openapi-typescript", description, "--output", "generated/openapi.d.ts")
    assert made.returncode == 0, made.stderr
    (loop,) = re.findall(r"(?s)```ts\n(.*?)```", (BASE_DIR / "README.md").read_text())
    (FOLDER / "generated" / "readme.ts").write_text(dedent(f"   {loop.strip()}"))
    compiled = tool("tsc", "--project", "tsconfig.json")
    assert compiled.returncode == 0, compiled.stdout


@pytest.mark.usefixtures("node")
def test_redocly_has_nothing_to_say_about_the_openapi_document(description: str) -> None:
    linted = tool("redocly", "lint", "--format", "json", description)
    found = json.loads(linted.stdout)
    assert found["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}, found["problems"]


@pytest.mark.usefixtures("node")
def test_spectral_has_nothing_to_say_about_the_openapi_document(description: str) -> None:
    linted = tool("spectral", "lint", "--ruleset", "spectral.yaml", "-F", "hint", description)
    assert linted.returncode == 0, linted.stdout
    assert "No results with a severity of 'hint' or higher found!" in linted.stdout
