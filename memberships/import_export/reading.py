"""Reads a CSV file (RFC 4180) as a stream of records, each with its line number.

It accepts UTF-8 with or without byte order mark, UTF-16 with one, any of four delimiters or the one that a first line
"sep=" names, any line ends, and empty lines.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from memberships.import_export.cells import COLUMNS, REPORT_COLUMNS, REQUIRED, unguard, visible

DELIMITERS = ",;\t|"
MAX_CELL = 131_072
"""Characters of a cell; longer ones are a quote that nobody closed."""
CHUNK = 1 << 20
"""Bytes read at once."""

_SEPARATOR_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?', re.IGNORECASE)
_SAVE_AS_CSV = "Save the sheet as “CSV UTF-8” and import that."
_SPREADSHEET = f"a spreadsheet (such as .xlsx, .xls or .ods), not CSV. {_SAVE_AS_CSV}"
_ZIP = b"PK\x03\x04"
_NO_TEXT = {
    _ZIP: "",
    b"\xd0\xcf\x11\xe0": _SPREADSHEET,
    b"%PDF": f"a PDF, from which no table can be read. {_SAVE_AS_CSV}",
    b"\x1f\x8b": "compressed: unpack it, and import what is in it.",
    b"{\\rtf": f"a text document, not CSV. {_SAVE_AS_CSV}",
    b"<": f"a web page or XML, not CSV. {_SAVE_AS_CSV}",
}
"""The kinds of files that people mistake for CSV because a spreadsheet opens them, by their first bytes."""


class UnreadableFile(Exception):
    """The file cannot be read: the message says what to do, and is about ``line``."""

    def __init__(self, message: str, *, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one record, and the number of its first line; or the reason why it cannot be read.

    ``cells`` are as they stand in the file, in the order of its columns.
    """

    line: int
    cells: list[str]
    error: str = ""


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
    """Read the header of ``file`` from its beginning; raises ``UnreadableFile`` if there is no usable one."""
    encoding = _encoding(file)
    _require_encoded(file, encoding)
    file.seek(0)
    text = io.TextIOWrapper(io.BufferedReader(_Unclosable(file)), encoding=encoding, newline="")
    lines = _Lines(text)
    first = _first_line(lines)
    separator = _SEPARATOR_LINE.fullmatch(first)
    if separator:
        first = _first_line(lines)
    if not first:
        raise UnreadableFile("The file is empty; its first line names the columns.")
    delimiter = separator[1] if separator else _likeliest_delimiter(first)
    columns = _names(first, delimiter)
    _require_sensible(columns)
    return Table(columns, delimiter, _records(lines, delimiter, len(columns)))


def _encoding(file: BinaryIO) -> str:
    """The encoding that the file's byte order mark names, UTF-8 if there is none; it must be a file of text."""
    file.seek(0)
    beginning = file.read(4096)
    for magic, kind in _NO_TEXT.items():
        if beginning.startswith(magic):
            raise UnreadableFile(f"The file is {_kind_of_zip(beginning) if magic == _ZIP else kind}")
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in beginning.partition(b"\n")[0]:
        raise UnreadableFile(f"The file is not text, or in an unknown encoding. {_SAVE_AS_CSV}")
    return "utf-8-sig"


def _kind_of_zip(beginning: bytes) -> str:
    is_sheet = b"[Content_Types].xml" in beginning or b"opendocument.spreadsheet" in beginning or b"xl/" in beginning
    return _SPREADSHEET if is_sheet else f"a ZIP archive: unpack it. {_SAVE_AS_CSV}"


def _require_encoded(file: BinaryIO, encoding: str) -> None:
    """Raise ``UnreadableFile`` unless the whole file is in ``encoding``.

    Bytes alone do not distinguish the older encodings, and a wrong guess would be saved; so it does not guess.
    """
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 0
    while True:
        data = file.read(CHUNK)
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, errors="replace")
            raise UnreadableFile(
                f"The file is not {encoding.removesuffix('-sig').upper()}: here is the first character that shows it. "
                "Save it as “CSV UTF-8” and import that.",
                line=lines + _count_line_ends(before) + 1,
            ) from None
        lines += _count_line_ends(text)
        if not data:
            return


def _count_line_ends(text: str) -> int:
    return max(text.count("\n"), text.count("\r"))


def _first_line(lines: _Lines) -> str:
    """The next line that is not empty, "" if there is none."""
    return next((line for line in lines if line.strip()), "").strip("\r\n")


def _likeliest_delimiter(header: str) -> str:
    return max(DELIMITERS, key=lambda candidate: len(set(_names(header, candidate)) & set(COLUMNS)))


def _names(header: str, delimiter: str) -> list[str]:
    """The columns that the line ``header`` names, without empty ones at its end."""
    (cells,) = csv.reader([header], delimiter=delimiter)
    names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _require_sensible(columns: Sequence[str]) -> None:
    unknown = [
        f"“{visible(name[:100])}”" for name in dict.fromkeys(columns) if name not in (*COLUMNS, *REPORT_COLUMNS, "")
    ]
    twice = [f"“{name}”" for name in dict.fromkeys(columns) if name and columns.count(name) > 1]
    missing = [f"“{name}”" for name in REQUIRED if name not in columns]
    faults = [
        *([f"Unknown columns: {', '.join(unknown)}."] if unknown else []),
        *([f"Columns that are there twice: {', '.join(twice)}."] if twice else []),
        *([f"Missing columns: {', '.join(missing)}."] if missing else []),
        *(f"Column {number} has no name." for number, name in enumerate(columns, start=1) if not name),
    ]
    if faults:
        raise UnreadableFile(f"{' '.join(faults)} Columns are {', '.join(COLUMNS)}.")


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
            while len(cells) > width and not cells[-1].strip():
                cells.pop()
            yield Record(start, cells, _error(cells, width))


def _syntax(error: csv.Error) -> str:
    if "end of data" in str(error) or "field limit" in str(error):
        return "A quotation mark that is opened here is never closed."
    return "The quotation marks are wrong: write a mark within a quoted cell twice, and nothing between cell and comma."


def _error(cells: Sequence[str], width: int) -> str:
    if any("\0" in cell for cell in cells):
        return "There is a NUL character in this line; remove it."
    if len(cells) != width:
        return f"The line has {len(cells)} cells, but the first one names {width} columns."
    return ""


class _Lines:
    """The lines of a text, counted, and kept until ``kept`` is cleared."""

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

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the buffer that TextIOWrapper passes
        data = self.file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
