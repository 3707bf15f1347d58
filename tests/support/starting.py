"""Starts of Python, each in a process forked from one that has imported ``manage``: the imports are most of a start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest
from cryptography.fernet import Fernet

from config.environment import BASE_DIR
from tests.support.server import PATIENCE

PRODUCTION = {
    "ENV_FILE": os.devnull,
    "PATH": os.environ["PATH"],
    "SECRET_KEY": "k3-" + "0123456789abcdefghij" * 3,
    "KEY_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "DATABASE_URL": os.environ["DATABASE_URL"],
}
FORK = f"""
import json, os, signal, sys, tempfile
import manage  # which reads no setting yet

for line in sys.stdin:
    program, arguments, environment = json.loads(line)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull) as nothing:
        pid = os.fork()
        if pid == 0:
            signal.alarm({PATIENCE})
            for number, file in enumerate((nothing, out, err)):
                os.dup2(file.fileno(), number)
            os.environ.clear()
            os.environ |= environment
            sys.argv = ["manage.py", *arguments]
            exec(program)
            sys.exit()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        shown = [file.seek(0) or file.read().decode() for file in (out, err)]
    print(json.dumps([code, *shown]), flush=True)
"""
"""Reads a program, its arguments and its environment from a line; writes its exit code, output and errors to one."""


class Ended(NamedTuple):
    """A process that is over."""

    returncode: int
    stdout: str
    stderr: str


class Starts:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, program: str, *arguments: str, env: Mapping[str, str]) -> Ended:
        """Start ``program``, Python that finds ``manage`` imported, in the environment ``env``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([program, arguments, dict(env)]), file=self._process.stdin, flush=True)
        ended = self._process.stdout.readline()
        assert ended, "the process that forks has ended"
        return Ended(*json.loads(ended))

    def manage(self, *arguments: str, **environment: str) -> Ended:
        """``manage.py`` as production runs it, with ``environment`` besides; "" counts as unset."""
        return self.run("manage.main()", *arguments, env=PRODUCTION | environment)

    def setting(self, expression: str, **environment: str) -> str:
        """``expression`` of the settings ``s``, as production has them with ``environment`` besides."""
        env = PRODUCTION | {"DJANGO_SETTINGS_MODULE": "config.settings"} | environment
        ended = self.run(f"from django.conf import settings as s; print({expression})", env=env)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()


@pytest.fixture(scope="session")
def starts() -> Iterator[Starts]:
    """Quick ones of the service's commands, and of other Python."""
    with subprocess.Popen(
        [sys.executable, "-c", FORK],
        cwd=BASE_DIR,
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Starts(process)
