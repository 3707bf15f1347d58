"""A table of cases within one test shows what a test for each case would show."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from accounts.models import EmailAddress, User
from tests.support.cases import each


def test_each_case_begins_with_the_same_rows_and_fixtures(user: User) -> None:
    met = []

    @each("name", ["Ada", "Grace"])
    def rename(user: User, name: str) -> None:
        met.append((name, user.first_name, User.objects.get(pk=user.pk).first_name))
        user.first_name = name
        user.save()

    rename(user=user)
    assert met == [("Ada", "", ""), ("Grace", "", "")]


def test_a_case_is_held_against_what_is_checked_at_a_commit(user: User) -> None:
    @each("number", [1])
    def leave_without_a_primary_address(user: User, number: int) -> None:
        EmailAddress.objects.filter(user_id=user.pk).delete()

    with pytest.raises(IntegrityError):
        leave_without_a_primary_address(user=user)


def test_a_case_that_fails_is_named(db: None) -> None:
    @each("text", ["a", "b"])
    @each(("number", "double"), [(1, 2), (2, 5)], ids=["one", "two"])
    def agree(text: str, number: int, double: int) -> None:
        assert number * 2 == double

    with pytest.raises(AssertionError) as caught:
        agree()
    assert caught.value.__notes__ == ["The case: 'two'", "The case: {'text': 'a'}"]
