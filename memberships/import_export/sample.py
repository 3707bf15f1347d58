"""A file to start from: every column, and a line of each kind."""

from __future__ import annotations

from memberships.import_export.cells import COLUMNS, csv_line

_LINES = [
    ["", "Acme", "Harbour", "ada@example.com", "Admin; Member", "Member", '{"desk": 7}'],
    ["accounts.example.com", "Acme", "", "bo", "", "Member", ""],
]


def sample() -> bytes:
    """A CSV file as spreadsheets read it, about one member of a workspace and one of an organization alone."""
    return b"\xef\xbb\xbf" + b"".join(csv_line(line) for line in (COLUMNS, *_LINES))
