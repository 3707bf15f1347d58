"""Names and codes are taken as people type them, and each name is one user's however it is spelt."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.credentials import mfa
from accounts.credentials.users import users_called
from accounts.models import Deployment, User
from accounts.values.names import normal_code, normal_name, searched
from tests.support.admin import errors, saved, send, url
from tests.support.api import ApiClient, error_code
from tests.support.cases import each
from tests.support.factories import UserFactory, confirmed_authenticator
from tests.support.sign_in import PASSWORD, SIGN_IN, attempt_of, sign_in, totp, user_with_password, verify

WRONG_CREDENTIALS = 40108
TOO_MANY_REQUESTS = 42901

NFD = "ame\u0301lie"
NFC = "am\u00e9lie"
U_LABEL = "ada@m\u00fcnchen.example"
A_LABEL = "ada@xn--mnchen-3ya.example"

anytime = settings(deadline=None)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
labels = st.one_of(
    st.text("abc-_0xn\u00fc\u00df\u2764\u3002\u00ad\uff0e\u0130A", max_size=8),
    st.text("abc-019", max_size=8).map("xn--".__add__),
    st.sampled_from(["xn--mnchen-3ya", "XN--mnchen-3ya", "xn--i-7iq", "m\u00fcnchen", "mu\u0308nchen"]),
)
addresses = st.tuples(names, st.lists(labels, min_size=1, max_size=3).map(".".join)).map("@".join)


@anytime
@given(names | addresses)
def test_normalising_is_idempotent(name: str) -> None:
    assert normal_name(normal_name(name)) == normal_name(name)


@anytime
@given(names | addresses, st.sampled_from(["NFC", "NFD"]))
def test_canonically_equal_names_have_one_form(name: str, form: Any) -> None:
    assert normal_name(unicodedata.normalize(form, name)) == normal_name(name)


@anytime
@given(st.text(st.characters(categories=["Nd", "Zs", "Zl", "Zp", "Cc", "Cf", "Pd"]) | st.sampled_from("abcXYZ")))
def test_a_code_is_its_letters_and_digits(code: str) -> None:
    digits = [str(unicodedata.decimal(character, character)) for character in code]
    assert normal_code(code) == "".join(item for item in digits if item.isalnum()).lower()
    assert normal_code(normal_code(code)) == normal_code(code)


@pytest.mark.django_db
@settings(deadline=None, max_examples=40)
@given(names | addresses)
def test_every_normalised_name_can_be_stored(name: str) -> None:
    """So the database refuses nothing that came through the models, but a domain that cannot be."""
    normal = normal_name(name)
    if not normal or "xn--" in normal.rpartition("@")[2]:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'accounts_user_username_is_normal'"
        )
        ((definition,),) = cursor.fetchall()
        cursor.execute(f"SELECT {definition.removeprefix('CHECK ')} FROM (SELECT %s AS username) row", [normal])
        assert cursor.fetchone() == (True,), ascii(normal)


@each(
    ("typed", "stored"),
    [
        (" ada@x.example ", "ada@x.example"),
        ("\u200b\ufeffada@x.example\u00a0\t", "ada@x.example"),
        ("Ada@X.Example", "Ada@x.example"),
        (A_LABEL, U_LABEL),
        ("ada@XN--MNCHEN-3YA.example", U_LABEL),
        ("ada@mu\u0308nchen.example", U_LABEL),
        ("ada@\uff4d\u00fcnchen\u3002example", U_LABEL),
        ("ada@m\u00fcn\u00adchen.example", U_LABEL),
        ("ada@xn--i-7iq.example", "ada@i\u2764.example"),
        ("ada@under_score.xn--mnchen-3ya.example", "ada@under_score.m\u00fcnchen.example"),
        ("ada@[127.0.0.1]", "ada@[127.0.0.1]"),
        ("@Ada", "@Ada"),
        ("Ada Lovelace", "Ada Lovelace"),
        (NFD, NFC),
        ("", ""),
    ],
)
def test_the_stored_form_of_a_name(typed: str, stored: str) -> None:
    assert normal_name(typed) == stored


# Signing in


def answer_to(deployment: Deployment, field: str, name: str, password: str = PASSWORD) -> Any:
    body = {"strategy": "plain_email" if field == "email" else "plain_username", field: name, "password": password}
    return ApiClient(deployment).post(SIGN_IN, body)


@each(
    ("field", "stored", "typed"),
    [
        ("email", "ada@x.example", "ada@x.example "),
        ("email", "ada@x.example", "\u00a0ada@x.example\u200b"),
        ("email", "ada@x.example", "ADA@X.EXAMPLE\t"),
        ("email", U_LABEL, A_LABEL),
        ("email", A_LABEL, U_LABEL),
        ("username", "ada", "\tada\ufeff"),
        ("username", NFC, NFD),
        ("username", NFD, NFC),
        ("username", NFD, NFC.upper()),
        ("username", U_LABEL, A_LABEL),
    ],
)
def test_a_name_signs_in_as_people_type_it(deployment: Deployment, field: str, stored: str, typed: str) -> None:
    user_with_password(deployment, **{field: stored})
    assert answer_to(deployment, field, typed).status_code == 200


@each("password", [f" {PASSWORD}", f"{PASSWORD} ", f"{PASSWORD}\u200b", PASSWORD.upper()])
def test_a_password_is_taken_as_it_is(deployment: Deployment, password: str) -> None:
    ada = user_with_password(deployment)
    assert error_code(sign_in(ApiClient(deployment), ada, password)) == WRONG_CREDENTIALS
    ada.set_password(password)
    ada.save()
    assert sign_in(ApiClient(deployment), ada, password).status_code == 200


@each("password", [" pass phrase ", "pa\u0308ss", "p\u00e4ss", "pass\u200b"])
def test_a_password_may_hold_what_a_name_may_not(deployment: Deployment, password: str) -> None:
    ada = user_with_password(deployment)
    ada.set_password(password)
    ada.save()
    assert sign_in(ApiClient(deployment), ada, password).status_code == 200
    assert error_code(sign_in(ApiClient(deployment), ada, normal_name(password) + "x")) == WRONG_CREDENTIALS


@pytest.mark.parametrize("is_known", [True, False])
def test_spellings_of_a_name_count_as_one(deployment: Deployment, settings: Any, is_known: bool) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 5
    if is_known:
        user_with_password(deployment, email=U_LABEL)
    for name in (U_LABEL, A_LABEL, f" {U_LABEL}\u200b", U_LABEL.upper(), unicodedata.normalize("NFD", U_LABEL)):
        assert error_code(answer_to(deployment, "email", name, "wrong")) == WRONG_CREDENTIALS
    assert error_code(answer_to(deployment, "email", A_LABEL, "wrong")) == TOO_MANY_REQUESTS


# Codes


def spellings(code: str) -> list[str]:
    return [
        f"{code[:3]}\u00a0{code[3:]}",
        f"\t{code}\n",
        f"{code[:3]}\u200b{code[3:]}\ufeff",
        f"{code[:3]}\u202f{code[3:]}",
        f"{code[:3]}\u2013{code[3:]}",
        "".join(chr(ord(digit) + 0xFEE0) for digit in code),
        "".join(chr(ord(digit) - ord("0") + 0x660) if digit.isdigit() else digit for digit in code),
        "".join(chr(ord(digit) - ord("0") + 0x966) if digit.isdigit() else digit for digit in code),
    ]


@each("number", range(8))
@each("kind", ["authenticator", "backup code"])
def test_a_code_signs_in_as_people_type_it(deployment: Deployment, kind: str, number: int) -> None:
    ada = user_with_password(deployment)
    confirmed_authenticator(ada)
    code = totp() if kind == "authenticator" else mfa.new_backup_codes(ada)[0]
    client = ApiClient(deployment)
    assert verify(client, attempt_of(sign_in(client, ada)), spellings(code)[number]).status_code == 200


# One name, one user


@each(
    ("field", "first", "second"),
    [
        ("username", NFC, NFD),
        ("username", NFD, NFC),
        ("username", "ada", " ADA\u200b"),
        ("email", U_LABEL, A_LABEL),
        ("email", A_LABEL, U_LABEL.upper()),
        ("email", "ada@x.example", "ada@X.example\u00a0"),
    ],
)
@each("way", ["save", "bulk_create", "update", "full_clean"])
def test_two_spellings_are_no_two_users(deployment: Deployment, field: str, first: str, second: str, way: str) -> None:
    UserFactory.create(deployment=deployment, **{field: first})
    other = UserFactory.build(deployment=deployment, **{field: second})
    row = UserFactory.create(deployment=deployment)
    write: dict[str, Callable[[], Any]] = {
        "save": other.save,
        "bulk_create": lambda: User.objects.bulk_create([other]),
        "update": lambda: User.objects.filter(pk=row.pk).update(**{field: second}),
        "full_clean": other.full_clean,
    }
    with pytest.raises((IntegrityError, ValidationError)), transaction.atomic():
        write[way]()


def test_a_saved_user_shows_the_stored_names(deployment: Deployment) -> None:
    user = UserFactory.create(deployment=deployment, email=f" {A_LABEL}", username=f"{NFD}\u200b")
    assert (user.email, user.username) == (U_LABEL, NFC)
    user.refresh_from_db()
    assert (user.email, user.username) == (U_LABEL, NFC)


@each(
    ("field", "value"),
    [
        ("username", NFD),
        ("username", "ada "),
        ("username", "\u200bada"),
        ("username", "ada@xn--mnchen-3ya.example"),
        ("email", A_LABEL),
        ("email", "ada@X.example"),
        ("email", "ada@mu\u0308nchen.example"),
        ("email", "ada@x.XN--mnchen-3ya"),
        ("email", "ada@x.example\u00a0"),
        ("email", "ada@\uff58.example"),
    ],
)
def test_raw_sql_is_held_to_the_stored_form(user: User, field: str, value: str) -> None:
    with pytest.raises(IntegrityError, match=f"{field}_is_normal"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE accounts_user SET {field} = %s WHERE id = %s", [value, user.pk])


# Where else names are typed


@each("name", [f" {A_LABEL}", U_LABEL.upper(), f"{NFD}\u200b", "{id}\u00a0"])
def test_users_are_found_by_a_name_as_people_type_it(deployment: Deployment, name: str) -> None:
    user = UserFactory.create(deployment=deployment, email=U_LABEL, username=NFC)
    UserFactory.create(deployment=deployment)
    assert users_called(name.format(id=user.pk)).get() == user


@each(
    "text",
    [
        A_LABEL,
        U_LABEL,
        f"{U_LABEL}\u200b",
        "xn--mnchen-3ya",
        "xn--mnchen-3ya.example",
        "m\u00fcnch",
        NFD,
        "mu\u0308nchen",
    ],
)
def test_staff_find_a_user_by_any_spelling(admin_client: Client, deployment: Deployment, text: str) -> None:
    user = UserFactory.create(deployment=deployment, email=U_LABEL, username=NFC)
    UserFactory.create(deployment=deployment, email="other@example.com")
    response = admin_client.get(url(User, "changelist"), {"q": text})
    assert list(response.context["cl"].queryset) == [user]


def test_a_name_that_is_stored_in_nfd_is_found_by_it(admin_client: Client, deployment: Deployment) -> None:
    """First and last names are shown as they were typed."""
    user = UserFactory.create(deployment=deployment, first_name=NFD)
    assert list(admin_client.get(url(User, "changelist"), {"q": NFD}).context["cl"].queryset) == [user]


def test_the_form_of_a_user_stores_the_normal_form(admin_client: Client, user: User) -> None:
    assert saved(send(admin_client, url(user, "change"), email=f"\u200b{A_LABEL} ", username=f"{NFD}\u200b"))
    user.refresh_from_db()
    assert (user.email, user.username) == (U_LABEL, NFC)


def test_the_form_of_a_user_refuses_another_spelling(admin_client: Client, user: User) -> None:
    UserFactory.create(deployment=user.deployment, email=U_LABEL)
    response = send(admin_client, url(user, "change"), email=A_LABEL)
    assert "Another user of this deployment has this e-mail address." in errors(response)


def test_the_form_of_a_user_refuses_a_domain_that_cannot_be(admin_client: Client, user: User) -> None:
    response = send(admin_client, url(user, "change"), username="ada@xn--a")
    assert "This is no username that can be stored: check the part after the @." in errors(response)


@each(("text", "expected"), [("two  words", "two words"), ("XN--MNCHEN-3YA", "m\u00fcnchen"), ("\u200b", "")])
def test_a_search_term_is_normalised(text: str, expected: str) -> None:
    assert searched(text) == expected
