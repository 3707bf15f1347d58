"""A changed password, MFA or external id ends the user's sessions, but nobody else's sign-in."""

from __future__ import annotations

import re
import time
from typing import Any

import pyotp
import pytest
from django.contrib.auth.models import User as Staff
from django.test import Client

from accounts.authentication import sessions
from accounts.credentials import mfa
from accounts.models import Session, SignIn, SignInAttempt, User
from staff.models import StaffAuthenticator
from tests.support.admin import choose, go_on, saved, send, url
from tests.support.api import ApiClient, data_of, error_code, warm_up
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, backup_code, confirmed_authenticator
from tests.support.sign_in import (
    attempt_of,
    session_data,
    sign_in,
    signed_in,
    totp,
    user_with_mfa,
    user_with_password,
    verify,
)

pytestmark = pytest.mark.django_db

SESSION_ENDED, WRONG_CREDENTIALS, SIGN_IN_ATTEMPT_OVER = 40104, 40108, 40110
NEW_PASSWORD = "a quite unguessable phrase"


@pytest.fixture
def ada(db: None) -> User:
    return user_with_password(DeploymentFactory.create(), email="ada@example.com")


def polling(user: User) -> ApiClient:
    """A browser of ``user`` whose answers the process has in its cache."""
    client = signed_in(user)
    warm_up(client)
    assert client.get().status_code == 200
    return client


def status(client: ApiClient) -> int:
    code: int = client.get().status_code
    return code


# Changes by staff


@pytest.mark.parametrize("change", [{"new_password": NEW_PASSWORD}, {"external_id": "idp|43"}], ids=str)
def test_staff_who_change_how_a_user_signs_in_sign_them_out(
    admin_client: Client, ada: User, change: dict[str, str]
) -> None:
    clients = [polling(ada), polling(ada)]
    other = polling(user_with_password(ada.deployment))
    assert saved(send(admin_client, url(ada, "change"), **change))
    assert [error_code(client.get()) for client in clients] == [SESSION_ENDED, SESSION_ENDED]
    assert status(other) == 200


@pytest.mark.parametrize("change", [{"new_password": NEW_PASSWORD}, {"external_id": "idp|43"}], ids=str)
def test_the_box_unticked_leaves_the_sessions(admin_client: Client, ada: User, change: dict[str, str]) -> None:
    client = polling(ada)
    assert saved(send(admin_client, url(ada, "change"), sign_out="", **change))
    assert status(client) == 200


def test_any_other_change_leaves_the_sessions(admin_client: Client, ada: User) -> None:
    client = polling(ada)
    assert saved(send(admin_client, url(ada, "change"), first_name="Ada"))
    assert status(client) == 200


def test_the_form_of_a_new_user_has_no_such_box(admin_client: Client) -> None:
    assert "sign_out" not in admin_client.get(url(User, "add")).content.decode()


@each("make_row", [confirmed_authenticator, backup_code])
@each("selected", [False, True])
def test_staff_who_delete_an_mfa_device_sign_the_user_out(
    admin_client: Client, ada: User, make_row: Any, selected: bool
) -> None:
    client, other = polling(ada), polling(user_with_password(ada.deployment))
    row = make_row(ada)
    delete(admin_client, row, selected=selected)
    assert error_code(client.get()) == SESSION_ENDED
    assert status(other) == 200


@pytest.mark.parametrize("selected", [False, True])
def test_the_box_of_the_deletion_unticked_leaves_the_sessions(admin_client: Client, ada: User, selected: bool) -> None:
    client, row = polling(ada), confirmed_authenticator(ada)
    delete(admin_client, row, selected=selected, ticked=False)
    assert status(client) == 200


def test_an_unconfirmed_authenticator_is_deleted_without_consequence(admin_client: Client, ada: User) -> None:
    client = polling(ada)
    row, _ = mfa.new_authenticator(ada)
    delete(admin_client, row)
    assert status(client) == 200


def delete(staff: Client, row: Any, *, selected: bool = False, ticked: bool = True) -> None:
    """Delete ``row`` by its own page or as a chosen row of the list, as the page for it asks."""
    address = url(type(row), "changelist") if selected else url(row, "delete")
    data = {"action": "delete_selected", "_selected_action": [row.pk]} if selected else {}
    page = (staff.post(address, data) if selected else staff.get(address)).content.decode()
    assert 'name="sign_out"' in page
    assert "Sign the user out everywhere" in page
    box = {"sign_out_asked": "1"} | ({"sign_out": "on"} if ticked else {})
    assert staff.post(address, data | {"post": "yes"} | box).status_code == 302
    assert not type(row).objects.filter(pk=row.pk).exists()


# Changes by the user


def test_a_user_who_confirms_an_authenticator_keeps_the_present_session_only(ada: User) -> None:
    present, other = polling(ada), polling(ada)
    new = data_of(present.post("/me/authenticator"))
    codes = [totp(step, secret=new["totp_secret"]) for step in (-1, 0)]
    body = {"authenticator_id": new["id"], "codes": codes}
    assert present.post("/me/authenticator/attempt-verification", body).status_code == 200
    assert status(present) == 200
    assert error_code(other.get()) == SESSION_ENDED


def test_a_user_who_makes_backup_codes_keeps_the_present_session_only(ada: User) -> None:
    present, other = polling(ada), polling(ada)
    confirmed_authenticator(ada)
    mfa.new_backup_codes(ada, keep=Session.objects.get(pk=session_data(present)["id"]))
    assert status(present) == 200
    assert error_code(other.get()) == SESSION_ENDED


# Sessions of several users


def test_the_sign_ins_of_others_in_the_same_session_stay(ada: User) -> None:
    bo = user_with_password(ada.deployment)
    client = signed_in(bo)
    sign_in(client, ada)
    assert session_data(client)["active_signin"]["user_id"] == str(ada.pk)
    sessions.sign_out_everywhere([ada])
    data = session_data(client)
    assert [item["user_id"] for item in data["signins"]] == [str(bo.pk)]
    assert data["active_signin"]["user_id"] == str(bo.pk)
    assert status(client) == 200


def test_a_sign_in_that_is_not_active_ends_and_the_active_one_stays(ada: User) -> None:
    bo = user_with_password(ada.deployment)
    client = signed_in(ada)
    sign_in(client, bo)
    before = session_data(client)["active_signin"]
    sessions.sign_out_everywhere([ada])
    assert session_data(client)["active_signin"]["id"] == before["id"]
    assert [item["user_id"] for item in session_data(client)["signins"]] == [str(bo.pk)]


def test_staff_who_end_the_active_sign_in_make_another_one_active(admin_client: Client, ada: User) -> None:
    bo = user_with_password(ada.deployment)
    client = signed_in(bo)
    sign_in(client, ada)
    chosen = SignIn.objects.get(user=ada)
    go_on(admin_client, "end", chosen)
    assert session_data(client)["active_signin"]["user_id"] == str(bo.pk)


def test_staff_who_end_the_last_sign_in_end_the_session(admin_client: Client, ada: User) -> None:
    client = signed_in(ada)
    assert "ends" in choose(admin_client, "end", SignIn.objects.get(user=ada)).content.decode()
    assert client.get().status_code == 200
    go_on(admin_client, "end", SignIn.objects.get(user=ada))
    assert error_code(client.get()) == SESSION_ENDED


# Sign-ins under way


def test_an_attempt_that_awaits_a_code_is_over(ada: User) -> None:
    user = user_with_mfa(ada.deployment)
    client = ApiClient(ada.deployment)
    attempt = attempt_of(sign_in(client, user))
    sessions.sign_out_everywhere([user])
    assert error_code(verify(client, attempt, totp())) == SIGN_IN_ATTEMPT_OVER
    assert not SignInAttempt.objects.filter(completed_at__isnull=False).exists()


def test_a_sign_in_whose_password_changes_meanwhile_fails(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:

    def changed_meanwhile(user: User) -> list[str]:
        User.objects.filter(pk=user.pk).update(password="argon2$changed")
        return []

    monkeypatch.setattr(mfa, "available_methods", changed_meanwhile)
    assert error_code(sign_in(ApiClient(ada.deployment), ada)) == WRONG_CREDENTIALS
    assert not SignIn.objects.exists()


# Staff themselves


def test_staff_whose_mfa_is_reset_are_signed_out(admin_client: Client) -> None:
    member, bystander = (Staff.objects.create_superuser(name) for name in ("mia", "ben"))
    clients = []
    for user in (member, bystander):
        clients.append(Client())
        clients[-1].force_login(user)
    StaffAuthenticator.objects.create(user=member, secret=b"")
    go_on(admin_client, "reset_mfa", member)
    assert [client.get("/admin/").status_code for client in clients] == [302, 200]
    assert admin_client.get("/admin/").status_code == 200


def test_staff_who_replace_their_mfa_keep_the_present_session_only(settings: Any) -> None:
    settings.STAFF_MFA_REQUIRED = False
    member = Staff.objects.create_superuser("mia")
    present, other = Client(), Client()
    for client in (present, other):
        client.force_login(member)
    session = present.session  # as if they had signed in a moment ago
    session["mfa_proven_at"] = time.time()
    session.save()
    secret = re.findall(r'id="secret">([A-Z2-7]+)<', present.get("/admin/mfa/").content.decode())[0]
    present.post("/admin/mfa/", {"code": pyotp.TOTP(secret).now()})
    assert [client.get("/admin/").status_code for client in (present, other)] == [200, 302]
