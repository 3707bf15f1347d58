"""An allow-list takes addresses and networks alone, and keeps them as they were written."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, DataError, IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from api.networks import parse_network
from tests.support.cases import named, undone
from tests.support.database import execute
from tests.support.factories import World

MALFORMED_ENTRIES = [
    "abc",
    "",
    " ",
    "10.1",
    "10/8",
    "192.168.1/24",
    "1.2.3.4.5",
    "010.0.0.1",
    "10.0.0.0/08",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "10.0.0.1/24",
    "10.0.0.0/255.0.0.0",
    " 10.0.0.1",
    "10.0.0.1 ",
    "10.0.0.1\n",
    "10.0.0.1 10.0.0.2",
    "10.0.0.1,10.0.0.2",
    "::1/129",
    "2001:db8::1/64",
    "2001:db8::/032",
    "1::2:",
    "::1.2.3",
    "fe80::1%eth0",
]


ENTRIES = [
    "10.0.0.1",
    "10.0.0.1/32",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::1",
    "2001:db8::/32",
    "2001:DB8:0:0:0:0:0:1/128",
    "::/0",
    "::ffff:10.0.0.1",
    "::ffff:10.0.0.0/104",
]


REFUSAL = r"_whitelisted_ips_are_networks|for type inet|invalid cidr value"
"""The check fails (``IntegrityError``), or the cast within it does (``DataError``)."""


def is_stored(entry: str) -> bool:
    """Whether the database takes an allow-list of ``entry``."""
    try:
        with transaction.atomic():
            execute("UPDATE organizations_workspace SET whitelisted_ips = %s", [[entry]])
    except (IntegrityError, DataError):
        return False
    return True


@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_malformed_entry_of_an_allow_list_is_refused(world: World, kind: str) -> None:
    for entry in (*MALFORMED_ENTRIES, None):
        entries = ["192.0.2.1", entry, "::1"]
        with named(entry), pytest.raises(DatabaseError, match=REFUSAL), transaction.atomic():
            execute(f"UPDATE organizations_{kind} SET whitelisted_ips = %s", [entries])
        with named(entry), pytest.raises(DatabaseError, match=REFUSAL), transaction.atomic():
            type(getattr(world.own, kind))._base_manager.update(whitelisted_ips=entries)


def test_a_form_names_the_malformed_entry(world: World) -> None:
    workspace = world.own.workspace
    for entry in MALFORMED_ENTRIES:
        workspace.whitelisted_ips = ["192.0.2.1", entry, "::1"]
        with named(entry):
            with pytest.raises(ValidationError) as caught:
                workspace.full_clean()
            (message,) = caught.value.message_dict["whitelisted_ips"]
            assert message.startswith("Item 2 in the array did not validate:")
            assert not entry or f"“{entry}” is not an IPv4 or IPv6 address or CIDR network." in message


@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_an_allow_list_keeps_its_entries_in_their_order_and_spelling(world: World, kind: str) -> None:
    place = getattr(world.own, kind)
    for entries in ([], *([entry] for entry in ENTRIES), ENTRIES):
        with undone(entries):
            place.whitelisted_ips = entries
            place.full_clean()
            place.save()
            execute(f"UPDATE organizations_{kind} SET whitelisted_ips = whitelisted_ips || %s", [["192.0.2.9"]])
            place.refresh_from_db()
            assert place.whitelisted_ips == [*entries, "192.0.2.9"]


@given(
    edit=st.tuples(
        st.sampled_from([*MALFORMED_ENTRIES, *ENTRIES]), st.integers(0, 30), st.text("0123456789af:./% ", max_size=3)
    )
)
def test_the_database_the_forms_and_the_rule_agree_on_entries(world: World, edit: tuple[str, int, str]) -> None:
    text, position, inserted = edit
    entry = text[:position] + inserted + text[position + 1 :]
    try:
        parse_network(entry)
    except ValueError:
        readable = False
    else:
        readable = True
    with transaction.atomic():
        stored = is_stored(entry)
        transaction.set_rollback(True)
    assert stored is readable
