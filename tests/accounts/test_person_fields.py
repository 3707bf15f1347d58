"""Names and addresses that users give for themselves."""

from __future__ import annotations

import pytest

from accounts.values.person_fields import email_field, person_field, username_field
from api.errors import ApiError, Problem
from tests.support.cases import each


@each(
    ("typed", "stored"),
    [
        ("ada@example.com", "ada@example.com"),
        (" Ada@Example.COM\n", "Ada@example.com"),
        ("ada@xn--mnchen-3ya.example", "ada@münchen.example"),
        ("ada@münchen.example", "ada@münchen.example"),
    ],
)
def test_an_address_is_taken_in_its_stored_form(typed: str, stored: str) -> None:
    assert email_field({"email": typed}) == stored


@each("typed", ["", "ada", "@example.com", "ada@", "a b@example.com", "ada@exa mple.com", 7, None])
def test_what_is_no_address_is_refused(typed: object) -> None:
    with pytest.raises(ApiError) as refusal:
        email_field({"email": typed})
    assert refusal.value.problem is Problem.INVALID_FIELD


@each(("typed", "stored"), [("", ""), (" ada ", "ada"), ("A.d-a_7", "A.d-a_7"), ("अदा", "अदा")])
def test_a_username_is_taken_in_its_stored_form(typed: str, stored: str) -> None:
    assert username_field({"username": typed}) == stored


@each("typed", ["a da", "ada@example.com", "1234", "a\u200bda", "x" * 151])
def test_a_username_that_reads_as_another_name_is_refused(typed: str) -> None:
    with pytest.raises(ApiError) as refusal:
        username_field({"username": typed})
    assert refusal.value.problem is Problem.INVALID_FIELD


@each(("typed", "stored"), [("", ""), (" Ada  ", "Ada"), ("Anne Marie", "Anne Marie")])
def test_a_first_name_is_taken_without_the_space_around_it(typed: str, stored: str) -> None:
    assert person_field({"first_name": typed}, "first_name") == stored


@each("typed", ["Ada\nLindqvist", "Ada\u202eadA", "x" * 151])
def test_a_first_name_is_one_line(typed: str) -> None:
    with pytest.raises(ApiError) as refusal:
        person_field({"first_name": typed}, "first_name")
    assert refusal.value.problem is Problem.INVALID_FIELD
