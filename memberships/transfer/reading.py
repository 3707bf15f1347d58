"""From the bytes of a CSV file (RFC 4180) to records, each with its line number. No file is too long: it is streamed.

Taken are UTF-8 with or without byte order mark, any of four delimiters, any line ends, and empty lines.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from memberships.transfer.cells import COLUMNS, NOTES, REQUIRED, unguard

DELIMITERS = ",;\t|"
MAX_CELL = 131_072
"""Characters of a cell; longer ones are a quote that nobody closed."""
_UNDECODABLE = re.compile("[\ud800-\udfff]")


class UnreadableFile(Exception):  # noqa: N818
    """Nothing can be read, or no line can be understood: the message says what to do. It is about line 1."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one line says (the first of its lines, if a quoted cell has several), or why it cannot be understood.

    ``cells`` are as they stand in the file, in the order of its columns.
    """

    line: int
    cells: list[str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """An open file: its ``columns`` in their order, and its records, which can be read once."""

    columns: list[str]
    delimiter: str
    records: Iterator[Record]

    def texts(self, record: Record) -> dict[str, str]:
        """The texts of ``record`` by column, "" for a column that the file does not have."""
        texts = dict.fromkeys(COLUMNS, "")
        texts.update((name, unguard(cell.strip())) for name, cell in zip(self.columns, record.cells, strict=True))
        return texts


def read(file: BinaryIO) -> Table:
    """Read the header of ``file`` from its beginning; raises ``UnreadableFile`` if there is none that makes sense."""
    file.seek(0)
    if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableFile("The file is UTF-16; save it as “CSV UTF-8”.")
    file.seek(0)
    # Bytes that are no UTF-8 become lone surrogates, so that they can be told of line by line.
    text = io.TextIOWrapper(
        io.BufferedReader(_Unclosable(file)), encoding="utf-8-sig", errors="surrogateescape", newline=""
    )
    lines = _Lines(text)
    first = next((line for line in lines if line.strip()), "")
    if not first:
        raise UnreadableFile("The file is empty; its first line names the columns.")
    delimiter = max(DELIMITERS, key=lambda candidate: len(set(_names(first, candidate)) & set(COLUMNS)))
    columns = _names(first, delimiter)
    _require_sensible(columns)
    return Table(columns, delimiter, _records(lines, delimiter, len(columns)))


def _names(header: str, delimiter: str) -> list[str]:
    (cells,) = csv.reader([header], delimiter=delimiter)
    return [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]


def _require_sensible(columns: Sequence[str]) -> None:
    known = f"Columns are {', '.join(COLUMNS)}."
    for name in columns:
        if name not in (*COLUMNS, *NOTES):
            raise UnreadableFile(f"There is no column “{_printable(name)}”. {known}")
        if columns.count(name) > 1:
            raise UnreadableFile(f"The column “{name}” is there twice.")
    for name in REQUIRED:
        if name not in columns:
            raise UnreadableFile(f"The column “{name}” is missing. {known}")


def _records(lines: _Lines, delimiter: str, width: int) -> Iterator[Record]:
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        start = lines.number + 1
        lines.kept.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(start, ["".join(lines.kept).rstrip("\r\n")], _syntax(error))
            continue
        if any(cell.strip() for cell in cells):
            yield Record(start, cells, _problem(cells, width))


def _syntax(error: csv.Error) -> str:
    if "end of data" in str(error) or "field limit" in str(error):
        return "A quotation mark that is opened here is never closed."
    return "The quotation marks are wrong: write a mark within a quoted cell twice, and nothing between cell and comma."


def _problem(cells: Sequence[str], width: int) -> str:
    if any("\0" in cell for cell in cells):
        return "There is a NUL character in this line; remove it."
    if any(_UNDECODABLE.search(cell) for cell in cells):
        return "This line is not UTF-8; save the file as “CSV UTF-8”."
    if len(cells) != width:
        return f"The line has {len(cells)} cells, but the first one names {width} columns."
    return ""


def _printable(text: str) -> str:
    return _UNDECODABLE.sub("\ufffd", text).replace("\0", "\ufffd")[:100]


class _Lines:
    """The lines of a text, counted, and kept until somebody clears them."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text = text
        self.number = 0
        self.kept: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self.text)
        self.number += 1
        self.kept.append(line)
        return line


class _Unclosable(io.RawIOBase):
    """A view of a file that is not closed with the text wrapper around it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
