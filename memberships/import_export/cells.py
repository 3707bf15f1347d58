"""The columns of a file of memberships, and how a cell is written so that no spreadsheet takes it for a formula.

Spreadsheets do not agree on the separator: one that separates cells by semicolons splits a cell that holds a semicolon,
quoted or not. So an export holds no separator within cells but commas in quotation marks, and the semicolons between
roles, whose names begin with a letter or digit.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
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
REPORT_COLUMNS = (LINE, ERROR)
"""Additional columns of a file of rejected lines; an import ignores them."""

ROLE_SEPARATOR = ";"
SEPARATORS = ";|\t\r\n"
"""Characters, besides the comma, that separate cells or lines for one spreadsheet or another."""
ID_MARK = "#"
"""``#12`` is the row with the id 12, whatever any row is called."""

_FILLERS = "\u034f\u115f\u1160\u2800\u3164\uffa0"
"""Letters, marks and symbols, by Unicode's categories, that are invisible."""
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_FORMULA_WITHIN = re.compile(r"([,;|\t\r\n])(?=[\s'\"]*[=+\-@＝＋－＠])")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def guard(text: str) -> str:
    """``text`` with an apostrophe before it if a spreadsheet could take it for a formula (OWASP, CSV injection)."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(cell: str) -> str:
    """The text of which ``cell`` is the guarded form."""
    return cell[1:] if _GUARDED.match(cell) else cell


def without_formulas(text: str) -> str:
    """``text`` for people alone, with an apostrophe wherever a spreadsheet could see a formula in a cell of its own."""
    return _FORMULA_WITHIN.sub(r"\1'", text)


def reference(name: str, row_id: int, *, is_unique: bool) -> str:
    """The name of a row in a file: ``name`` if that means this row alone when it is read back, else the id."""
    is_plain = name == name.strip() and name != "" and not any(mark in name for mark in SEPARATORS)
    looks_like_an_id = name.removeprefix(ID_MARK).isdecimal()
    return name if is_unique and is_plain and not looks_like_an_id else f"{ID_MARK}{row_id}"


def role_reference(name: str, row_id: int, *, is_unique: bool) -> str:
    """The same for one of several roles in a cell: the text after a semicolon may begin a cell."""
    return reference(name, row_id, is_unique=is_unique and name[:1].isalnum())


def metadata_cell(text: str) -> str:
    """The JSON ``text`` without separators of cells, which stand only within its strings."""
    return "" if text == "{}" else text.replace(";", r"\u003b").replace("|", r"\u007c")


def visible(text: str) -> str:
    """``text`` for people: each character that cannot be seen is named, as in ``Ada[U+200B]``."""
    return "".join(f"[U+{ord(character):04X}]" if _is_invisible(character) else character for character in text)


def _is_invisible(character: str) -> bool:
    if character == " ":
        return False
    return character in _FILLERS or unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs")


def join_roles(references: Iterable[str]) -> str:
    return f"{ROLE_SEPARATOR} ".join(references)


def split_roles(text: str) -> list[str] | None:
    """The references in a cell of roles, each once; None if there are none."""
    references = (part.strip() for part in text.split(ROLE_SEPARATOR))
    return list(dict.fromkeys(part for part in references if part)) or None


def csv_line(texts: Iterable[str], delimiter: str = ",") -> bytes:
    """A line of a CSV file (RFC 4180) in UTF-8, its cells guarded."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerow([guard(text) for text in texts])
    return buffer.getvalue().encode()
