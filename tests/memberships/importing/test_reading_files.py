"""Files of every make, and what is said of those that cannot be read."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable

from accounts.models import User
from memberships.import_export.rejecting import rejected_lines
from organizations.models import Workspace
from tests.support.cases import each
from tests.support.importing import everything, lines, run, told


@each(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: text.replace("\n", "\n\n ,,\n").encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.replace("\n", ",,\n").encode(),
        lambda text: ("sep=;\n" + text.replace(",", ";")).encode(),
        lambda text: ('\n"SEP=;"\r\n' + text.replace(",", ";")).encode("utf-8-sig"),
        lambda text: ("sep=:\n" + text.replace(",", ":")).encode(),
        lambda text: text.replace("organization,workspace", '" Organization ",WORKSPACE').encode(),
    ],
)
def test_files_of_every_make_are_read(vault: Workspace, ada: User, encode: Callable[[str], bytes]) -> None:
    report = run(encode(lines("Acme, Vault ,ada", header="organization,workspace,user")))
    assert report.errors == []
    assert report.saved


def test_a_line_number_counts_empty_lines_and_line_breaks_within_cells(vault: Workspace, ada: User) -> None:
    content = lines("", ",,,,,", 'Acme,Vault,ada,,,"{\n""a"": 1\n}"', "", "Acme,Vault,nobody,,,")
    assert list(told(run(content))) == [8]


@each(
    ("row", "message"),
    [
        (b"Acme,Va\0ult,ada,,,", "NUL"),
        (b'Acme,"Vault" x,ada,,,', "quotation marks"),
        (b'Acme,Vault,ada,,,"{""a"": ""\\u0000""}"', "cannot be stored"),
        (b'Acme,Vault,ada,,,"{""a"": 1e999}"', "cannot be stored"),
        (b"Acme,Vault,\xf0\x9f\x92\xa9,,,", "There is no user “💩”".encode().decode()),
    ],
)
def test_a_value_that_cannot_be_stored_is_an_error_of_its_line(
    vault: Workspace, ada: User, row: bytes, message: str
) -> None:
    report = run(lines("Acme,Vault,ada,,,").encode() + row + b"\nAcme,Nowhere,ada,,,\n")
    assert sorted(told(report)) == [3, 4]
    assert message in told(report)[3]


def test_an_unclosed_quotation_mark_is_an_error_of_the_line_that_opens_it(vault: Workspace, ada: User) -> None:
    report = run(lines("Acme,Nowhere,ada,,,", 'Acme,"Vault,ada,,,', "Acme,Vault,ada,,,"))
    assert sorted(told(report)) == [2, 3]
    assert "never closed" in told(report)[3]


@each(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"organization,member\n", "Unknown columns: “member”. Missing columns: “user”."),
        (b"organization,workspace\n", "Missing columns: “user”."),
        (b"organization,,user\n", "Column 2 has no name."),
        (b"organization,user,user\n", "twice"),
    ],
)
def test_a_file_that_makes_no_sense_is_an_error_of_its_first_line(db: None, content: bytes, message: str) -> None:
    report = run(content)
    assert not report.saved
    assert message in told(report)[1]


@each(
    ("cell", "shown"),
    [
        ("Acme\u200b", "“Acme[U+200B]”"),
        ("Ac\u00a0me", "“Ac[U+00A0]me”"),
        ("Ac\u00adme", "“Ac[U+00AD]me”"),
        ("\u202eAcme", "“[U+202E]Acme”"),
        ("Ac\tme", "“Ac[U+0009]me”"),
    ],
)
def test_an_invisible_character_is_shown_in_the_message(vault: Workspace, ada: User, cell: str, shown: str) -> None:
    assert shown in told(run(lines(f"{cell},Vault,ada,,,")))[2]


def test_an_invisible_character_is_shown_in_the_name_of_a_column(db: None) -> None:
    assert "Unknown columns: “us[U+200B]er”." in told(run("organization,us\u200ber\n"))[1]


def test_unknown_missing_and_repeated_columns_are_named_all_at_once(db: None) -> None:
    assert told(run("name,roles,Roles,e-mail\n"))[1] == (
        "Unknown columns: “name”, “e_mail”. Columns that are there twice: “roles”. "
        "Missing columns: “organization”, “user”. "
        "Columns are deployment, organization, workspace, user, roles, organization_roles, public_metadata."
    )


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "application/vnd.oasis.opendocument.spreadsheet" if name == "mimetype" else "x")
    return buffer.getvalue()


@each(
    ("content", "kind"),
    [
        (zipped("[Content_Types].xml"), "a spreadsheet (such as .xlsx, .xls or .ods), not CSV"),
        (zipped("mimetype"), "a spreadsheet (such as .xlsx, .xls or .ods), not CSV"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(500), "a spreadsheet (such as .xlsx, .xls or .ods), not CSV"),
        (zipped("members.csv"), "a ZIP archive: unpack it"),
        (gzip.compress(b"organization,user\n"), "compressed: unpack it"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
        (b"<html><table>", "a web page"),
        ("organization,user\n".encode("utf-16-le"), "not text, or in an unknown encoding"),
    ],
    ids=["xlsx", "ods", "xls", "zip", "gzip", "pdf", "html", "utf-16 without a mark"],
)
def test_the_error_for_a_file_that_is_no_csv_names_its_kind(db: None, content: bytes, kind: str) -> None:
    report = run(content)
    assert told(report)[1].startswith(f"The file is {kind}")
    assert report.finding == "The file was not imported."
    assert list(rejected_lines(io.BytesIO(content), report.errors)) == []


@each("line_end", ["\n", "\r\n", "\r"])
def test_another_encoding_is_reported_once_and_saves_nothing(vault: Workspace, ada: User, line_end: str) -> None:
    content = lines("Acme,Vault,ada,,,", *["Acme,Våult,ada,,,"] * 50).replace("\n", line_end).encode("windows-1252")
    for options in ({}, {"skips_bad_lines": True}):
        assert told(run(content, **options)) == {
            3: "The file is not UTF-8: here is the first character that shows it. "
            "Save it as “CSV UTF-8” and import that."
        }
    assert everything() == [[], []]


def test_empty_cells_beyond_the_columns_do_not_count(vault: Workspace, ada: User) -> None:
    assert run(lines("Acme,Vault,ada,,,,,", "Acme,,ada,,,, , ")).saved
    assert list(told(run(lines("Acme,Vault,ada,,,,,x")))) == [2]


def test_cells_beyond_the_columns_are_not_lost_from_the_rejected_lines(vault: Workspace, ada: User) -> None:
    content = lines("Acme,Vault,ada,,,,,x").encode()
    rejected = b"".join(rejected_lines(io.BytesIO(content), run(content).errors)).decode()
    assert rejected.splitlines()[1].endswith(",,x")


@each("delimiter", list(",;\t|"))
def test_an_error_begins_no_formula_in_the_rejected_lines(vault: Workspace, ada: User, delimiter: str) -> None:
    content = lines('"a;=1+1,-2\t+3|@x",Vault,ada,,,').encode()
    rejected = b"".join(rejected_lines(io.BytesIO(content), run(content).errors)).decode("utf-8-sig")
    note = rejected.splitlines()[1].partition(",2,")[2]
    assert "There is no organization" in note
    assert [cell for (cell, *_) in [*csv.reader(note.split(delimiter))] if cell[:1] in tuple("=+-@")] == []
