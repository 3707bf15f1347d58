"""Tools of another language, which know nothing of this code: a JWT library, and a compiler of typed clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from accounts.keys import rotate_keys
from tests.api import document
from tests.factories import DeploymentFactory, UserFactory, token_of
from tests.interop.conftest import run


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
    assert claims["access"]["iss"] == claims["session"]["iss"] == "https://localhost"


@pytest.mark.usefixtures("node", "transactional_db")
def test_a_jwt_library_refuses_another_deployments_tokens(live_server: LiveServer) -> None:
    DeploymentFactory.create(host="localhost")
    token = token_of(UserFactory.create())
    result = run("node", "verify.mjs", live_server.url, "https://localhost", token)
    assert result.returncode != 0
    assert "JWKSNoMatchingKey" in result.stderr


@pytest.mark.usefixtures("node")
def test_a_typed_client_compiles_against_the_openapi_document(tmp_path: Path) -> None:
    description = tmp_path / "openapi.json"
    description.write_text(json.dumps(document()))
    made = run("npx", "--no-install", "openapi-typescript", str(description), "--output", "generated/openapi.d.ts")
    assert made.returncode == 0, made.stderr
    compiled = run("npx", "--no-install", "tsc", "--project", "tsconfig.json")
    assert compiled.returncode == 0, compiled.stdout
