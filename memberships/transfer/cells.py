"""The columns of a file of memberships, and how a cell is written so that no spreadsheet takes it for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

DEPLOYMENT = "deployment"
ORGANIZATION = "organization"
WORKSPACE = "workspace"
USER = "user"
ROLES = "roles"
ORGANIZATION_ROLES = "organization_roles"
PUBLIC_METADATA = "public_metadata"
COLUMNS = (DEPLOYMENT, ORGANIZATION, WORKSPACE, USER, ROLES, ORGANIZATION_ROLES, PUBLIC_METADATA)
REQUIRED = (ORGANIZATION, USER)
LINE, ERROR = "line", "error"
NOTES = (LINE, ERROR)
"""Columns that a file of rejected lines has besides; reading passes over them."""

ROLE_SEPARATOR = ";"
ID_MARK = "#"
"""``#12`` is the row with the id 12, whatever any row is called."""

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def guard(text: str) -> str:
    """``text`` with an apostrophe before it if a spreadsheet could take it for a formula (OWASP, CSV injection)."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(cell: str) -> str:
    """The text of which ``cell`` is the guarded form."""
    return cell[1:] if _GUARDED.match(cell) else cell


def reference(name: str, row_id: int, *, is_unique: bool) -> str:
    """How a file names a row: by ``name`` where that means this row alone when it is read back, by id otherwise."""
    is_plain = name == name.strip() and name != "" and ROLE_SEPARATOR not in name
    looks_like_an_id = name.removeprefix(ID_MARK).isdecimal()
    return name if is_unique and is_plain and not looks_like_an_id else f"{ID_MARK}{row_id}"


def join_roles(references: Iterable[str]) -> str:
    return f"{ROLE_SEPARATOR} ".join(references)


def split_roles(text: str) -> list[str] | None:
    """The references in a cell of roles, each once; None if there are none."""
    references = (part.strip() for part in text.split(ROLE_SEPARATOR))
    return list(dict.fromkeys(part for part in references if part)) or None


def csv_line(texts: Iterable[str], delimiter: str = ",") -> bytes:
    """A line of a CSV file (RFC 4180) in UTF-8, its cells guarded. Bytes that were no UTF-8 are what they were."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerow([guard(text) for text in texts])
    return buffer.getvalue().encode(errors="surrogateescape")
