"""The lines that an import refused, as a file to correct and import again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from memberships.import_export.cells import ERROR, LINE, REPORT_COLUMNS, csv_line, unguard, without_formulas
from memberships.import_export.reading import UnreadableFile, read
from memberships.import_export.staging import LineError


def rejected_lines(file: BinaryIO, errors: Iterable[LineError]) -> Iterator[bytes]:
    """The lines of ``file`` that have ``errors``, with the additional columns ``line`` and ``error``.

    An import ignores these two. A line that is no CSV is there as it stands, in its first cell; cells beyond the
    columns come last. Of a file that cannot be read there are none.
    """
    messages = defaultdict(list)
    for error in errors:
        messages[error.line].append(error.message)
    try:
        table = read(file)
    except UnreadableFile:
        return
    kept = [index for index, name in enumerate(table.columns) if name not in REPORT_COLUMNS]
    header = [*(table.columns[index] for index in kept), LINE, ERROR]
    yield b"\xef\xbb\xbf" + csv_line(header, table.delimiter)
    for record in table.records:
        if record.line in messages:
            cells = [record.cells[index] if index < len(record.cells) else "" for index in kept]
            report = [str(record.line), without_formulas(" ".join(messages[record.line]))]
            beyond = record.cells[len(table.columns) :]
            yield csv_line([unguard(cell) for cell in cells] + report + beyond, table.delimiter)
