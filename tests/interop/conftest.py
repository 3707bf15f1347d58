"""Node, and what package-lock.json names."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
MODULES = FOLDER / "node_modules"
TIMEOUT = 300
ENVIRONMENT = os.environ | {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=FOLDER, env=ENVIRONMENT, capture_output=True, text=True, timeout=TIMEOUT)


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of those that package-lock.json names."""
    return run(str(MODULES / ".bin" / name), *arguments)


@pytest.fixture(scope="module")
def node() -> None:
    """Node with what package-lock.json names; skips the test if there is no Node, or nowhere to get that from."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    lock_file = FOLDER / "package-lock.json"
    with lock_file.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several test processes, one installs
        installed = MODULES / ".installed"
        if installed.exists() and installed.read_text() == lock_file.read_text():
            return
        result = run(
            "npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries", "1"
        )
        if any(code in result.stderr for code in UNREACHABLE):
            pytest.skip("the npm registry cannot be reached")
        assert result.returncode == 0, result.stderr
        installed.write_text(lock_file.read_text())
