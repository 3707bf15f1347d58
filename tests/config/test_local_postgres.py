"""The PostgreSQL of the project's own: it starts whoever else uses the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from config.environment import BASE_DIR
from tests.support.server import PATIENCE

START = """
import sys
from pathlib import Path
import psycopg
from config import local_postgres
print(psycopg.connect(local_postgres.start(Path(sys.argv[1]), "rollcall")).execute("SELECT 'it answers'").fetchone()[0])
"""


def test_it_starts_where_another_user_of_the_machine_has_started_theirs() -> None:
    # Not pytest's tmp_path, which the system user of the database cannot enter.
    with tempfile.TemporaryDirectory(prefix="rollcall-test-") as temporary:
        (Path(temporary) / ".lockfile").mkdir()  # cannot be opened, like a file of another user, but by root neither
        started = subprocess.run(
            [sys.executable, "-c", START, f"{temporary}/data/postgres"],
            cwd=BASE_DIR,
            env={"PATH": os.environ["PATH"], "TMPDIR": temporary},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert started.stdout == "it answers\n", started.stderr
