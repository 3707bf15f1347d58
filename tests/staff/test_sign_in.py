"""Staff sign in with a password and MFA, and fail only so often."""

from __future__ import annotations

import base64
import re
import time
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User as Staff
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import FailureCount
from audit.models import AuditEntry
from staff.models import StaffAuthenticator, StaffBackupCodes
from tests.support.admin import choose, go_on, url
from tests.support.database import everything_stored
from tests.support.factories import UserFactory, staff

pytestmark = pytest.mark.django_db

LOGIN, ENROL, HOME = "/admin/login/", "/admin/mfa/", "/admin/"
PASSWORD = "a quite unguessable phrase"


@pytest.fixture(autouse=True)
def required(settings: Settings) -> None:
    settings.STAFF_MFA_REQUIRED = True


@pytest.fixture
def member(db: None) -> Staff:
    user = staff(all_deployments=True)
    user.set_password(PASSWORD)
    user.save()
    return user


def sign_in(member: Staff, *, password: str = PASSWORD, code: str = "", **headers: Any) -> tuple[Client, Any]:
    client = Client(**headers)
    data = {"username": member.username, "password": password, "code": code}
    return client, client.post(LOGIN, data)


def test_a_cookie_that_names_no_living_session_signs_nobody_in(settings: Settings, member: Staff) -> None:
    settings.STAFF_MFA_REQUIRED = False
    client, _ = sign_in(member)
    assert client.get(HOME).status_code == 200
    key = client.cookies["staff_session"].value
    for strange in ("x" * 32, "ü" * 32, f"{key}%", f"{key}\x00", key.upper()):
        client.cookies["staff_session"] = strange
        assert client.get(HOME).status_code == 302, strange
    client.cookies["staff_session"] = key
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert client.get(HOME).status_code == 302


def may_enter(client: Client) -> bool:
    return client.get(url(AuditEntry, "changelist")).status_code == 200


def enrol(client: Client, *, proof: str = "") -> tuple[str, list[str]]:
    """Set up MFA as a browser does; gives the authenticator's secret and the backup codes."""
    page = (client.post(ENROL, {"proof": proof}, follow=True) if proof else client.get(ENROL)).content.decode()
    (secret,) = re.findall(r'id="secret">([A-Z2-7]+)<', page)
    assert "data:image/svg+xml" in page
    done = client.post(ENROL, {"code": pyotp.TOTP(secret).now()}).content.decode()
    listed = done.partition('id="backup-codes"')[2].partition("</ul>")[0]
    return secret, re.findall(r"<li>(\w+)</li>", listed)


def next_code(secret: str) -> str:
    """One that was not used yet: the present one enrolled."""
    return pyotp.TOTP(secret).at(time.time() + 30)


def test_staff_without_mfa_set_it_up_before_anything_else(member: Staff) -> None:
    client, response = sign_in(member)
    assert response.status_code == 302
    assert not may_enter(client)
    assert client.get(HOME, follow=True).redirect_chain[-1][0] == ENROL
    _, codes = enrol(client)
    assert len(set(codes)) == 10
    assert may_enter(client)


def test_a_wrong_code_sets_nothing_up(member: Staff) -> None:
    client, _ = sign_in(member)
    client.get(ENROL)
    assert "not the code" in client.post(ENROL, {"code": "000000"}).content.decode()
    assert not StaffAuthenticator.objects.filter(confirmed=True).exists()
    assert not may_enter(client)


def test_with_mfa_the_password_alone_is_not_enough(member: Staff) -> None:
    secret, _ = enrol(sign_in(member)[0])
    for code, problem in (("", "Enter a code"), ("000000", "code is wrong")):
        client, response = sign_in(member, code=code)
        assert problem in response.content.decode()
        assert not may_enter(client)
    client, response = sign_in(member, code=next_code(secret))
    assert response.status_code == 302
    assert may_enter(client)


def test_a_code_is_taken_once(member: Staff) -> None:
    secret, codes = enrol(sign_in(member)[0])
    for code in (next_code(secret), codes[0]):
        assert may_enter(sign_in(member, code=code)[0])
        assert not may_enter(sign_in(member, code=code)[0])
    assert len(StaffBackupCodes.objects.get().code_hashes) == 9


@pytest.mark.parametrize("mark", ["\u00a0", "\t", "\u200b", "-"], ids=ascii)
def test_a_code_is_taken_as_staff_type_it(member: Staff, mark: str) -> None:
    secret, codes = enrol(sign_in(member)[0])
    for code in (next_code(secret), codes[0]):
        assert may_enter(sign_in(member, code=f"{code[:3]}{mark}{code[3:].upper()}{mark}")[0])


def test_a_name_is_taken_without_surrounding_space(member: Staff) -> None:
    data = {"username": f"\u200b{member.username}\u00a0", "password": PASSWORD}
    assert Client().post(LOGIN, data).status_code == 302
    assert Client().post(LOGIN, data | {"password": f"{PASSWORD} "}).status_code == 200


def test_a_code_of_another_user_is_refused(member: Staff) -> None:
    enrol(sign_in(member)[0])
    other = staff(all_deployments=True)
    other.set_password(PASSWORD)
    other.save()
    _, codes = enrol(sign_in(other)[0])
    assert not may_enter(sign_in(member, code=codes[0])[0])


def test_the_former_address_of_the_mfa_page_redirects(settings: Settings) -> None:
    response = Client().get("/admin/second-factor/")
    assert (response.status_code, response.headers["Location"]) == (301, ENROL)
    settings.ADMIN_HOSTS = ["admin.example.com"]
    assert Client().get("/admin/second-factor/").status_code == 404


def test_the_password_alone_cannot_replace_mfa(member: Staff) -> None:
    enrol(sign_in(member)[0])
    client = Client()
    client.force_login(member)
    for response in (client.get(ENROL), client.post(ENROL, {"code": "000000"})):
        assert response.status_code == 302
        assert response.headers["Location"].startswith(LOGIN)
    assert not may_enter(client)


def test_a_new_authenticator_voids_the_old_one(member: Staff) -> None:
    client, _ = sign_in(member)
    old_secret, old_codes = enrol(client)
    new_secret, _ = enrol(client, proof=old_codes[1])
    assert old_secret != new_secret
    for code in (next_code(old_secret), old_codes[0]):
        assert not may_enter(sign_in(member, code=code)[0])
    assert may_enter(sign_in(member, code=next_code(new_secret))[0])


def has_secret(page: Any) -> bool:
    return 'id="secret"' in page.content.decode()


def test_a_session_alone_does_not_replace_an_authenticator(member: Staff) -> None:
    client, _ = sign_in(member)
    secret, _ = enrol(client)
    assert not has_secret(client.get(ENROL))
    for data in ({"proof": "000000"}, {"proof": PASSWORD}, {"code": "000000"}, {}):
        assert not has_secret(client.post(ENROL, data))
    assert has_secret(client.post(ENROL, {"proof": next_code(secret)}, follow=True))
    assert StaffAuthenticator.objects.filter(confirmed=True).count() == 1


def test_a_code_of_the_authenticator_is_enough_for_one_change(member: Staff) -> None:
    client, _ = sign_in(member)
    _, codes = enrol(client)
    enrol(client, proof=codes[0])
    assert not has_secret(client.get(ENROL))


def test_a_proof_is_good_for_a_few_minutes(member: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = sign_in(member)
    assert has_secret(client.get(ENROL))
    later = time.time() + 601
    monkeypatch.setattr("staff.access.mfa_page.time", lambda: later)
    assert not has_secret(client.get(ENROL))
    assert not has_secret(client.post(ENROL, {"proof": "wrong"}))
    assert has_secret(client.post(ENROL, {"proof": PASSWORD}, follow=True))


def test_a_new_proof_needs_a_new_secret(member: Staff) -> None:
    """A secret shown after an earlier proof is not the one that is confirmed later."""
    first = new_secret_of(sign_in(member)[0])
    assert first != new_secret_of(sign_in(member)[0])


def new_secret_of(client: Client) -> str:
    (secret,) = re.findall(r'id="secret">([A-Z2-7]+)<', client.get(ENROL).content.decode())
    return str(secret)


def test_wrong_proofs_count_as_failures(member: Staff, settings: Settings) -> None:
    client, _ = sign_in(member)
    secret, _ = enrol(client)
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 2
    for _ in range(2):
        assert client.post(ENROL, {"proof": "000000"}).status_code == 200
    response = client.post(ENROL, {"proof": next_code(secret)})
    assert (response.status_code, has_secret(response)) == (429, False)
    assert 0 < int(response.headers["Retry-After"]) <= 900
    assert sign_in(member, code=next_code(secret))[1].status_code == 429


@pytest.fixture
def operator(db: None) -> Client:
    user = staff(all_deployments=True)
    user.set_password(PASSWORD)
    user.save()
    client, _ = sign_in(user)
    enrol(client)
    return client


def test_mfa_that_is_reset_is_set_up_anew(member: Staff, operator: Client) -> None:
    enrol(sign_in(member)[0])
    assert "sets up MFA anew" in choose(operator, "reset_mfa", member).content.decode()
    assert StaffAuthenticator.objects.filter(user=member).exists()
    go_on(operator, "reset_mfa", member)
    client, response = sign_in(member)
    assert response.status_code == 302
    assert client.get(HOME, follow=True).redirect_chain[-1][0] == ENROL
    assert LogEntry.objects.get(object_id=str(member.pk)).change_message == "Reset MFA."


def test_nobody_resets_their_own_mfa_in_the_list(member: Staff) -> None:
    Staff.objects.filter(pk=member.pk).update(is_superuser=True)
    client, _ = sign_in(member)
    enrol(client)
    for page in (choose(client, "reset_mfa", member), go_on(client, "reset_mfa", member)):
        assert "your own MFA" in page.content.decode()
    assert StaffAuthenticator.objects.filter(user=member).exists()


@pytest.mark.parametrize("role", ["support", "operator"])
def test_neither_support_nor_operators_reset_the_mfa_of_a_superuser(
    member: Staff, settings: Settings, role: str
) -> None:
    Staff.objects.filter(pk=member.pk).update(is_superuser=True)
    enrol(sign_in(member)[0])
    settings.STAFF_MFA_REQUIRED = False
    client = Client()
    client.force_login(staff(role=role, all_deployments=True))
    assert go_on(client, "reset_mfa", member).status_code in (302, 403)
    assert StaffAuthenticator.objects.filter(user=member, confirmed=True).exists()


def test_without_the_requirement_only_staff_with_mfa_are_asked_for_a_code(member: Staff, settings: Settings) -> None:
    settings.STAFF_MFA_REQUIRED = False
    client, _ = sign_in(member)
    assert may_enter(client)
    secret, _ = enrol(client)
    assert not may_enter(sign_in(member)[0])
    assert may_enter(sign_in(member, code=next_code(secret))[0])


def test_failures_are_limited_by_account_over_all_addresses(member: Staff, settings: Settings) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 3
    for number in range(3):
        assert sign_in(member, password="wrong", REMOTE_ADDR=f"192.0.2.{number}")[1].status_code == 200
    client, response = sign_in(member, REMOTE_ADDR="192.0.2.9")
    assert (response.status_code, not may_enter(client)) == (429, True)
    assert 0 < int(response.headers["Retry-After"]) <= 900
    assert "Too many failures. Try again in 15 minutes." in response.content.decode()


def test_failures_are_limited_by_address_over_all_accounts(member: Staff, settings: Settings) -> None:
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 3
    for number in range(3):
        sign_in(Staff(username=f"nobody{number}"), password="wrong")
    assert sign_in(member)[1].status_code == 429
    assert sign_in(member, REMOTE_ADDR="192.0.2.9")[1].status_code == 302


def test_wrong_codes_count_as_failures(member: Staff, settings: Settings) -> None:
    secret, _ = enrol(sign_in(member)[0])
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 2
    for _ in range(2):
        sign_in(member, code="000000")
    assert sign_in(member, code=next_code(secret))[1].status_code == 429


def test_failures_of_staff_and_of_users_do_not_mix(member: Staff) -> None:
    sign_in(member, password="wrong")
    assert FailureCount.objects.count() == 2
    assert UserFactory.create(username=member.username).pk


def test_neither_the_password_nor_a_code_comes_back(member: Staff) -> None:
    _, response = sign_in(member, password="wrong-secret-password", code="123456")
    page = response.content.decode()
    assert "wrong-secret-password" not in page


@pytest.mark.parametrize("path", [LOGIN, ENROL])
def test_staff_sign_in_at_the_hosts_of_the_admin_alone(member: Staff, settings: Settings, path: str) -> None:
    settings.ADMIN_HOSTS = ["admin.example.com"]
    assert Client().get(path, HTTP_HOST="tenant.example.com").status_code == 404
    assert Client().get(path, HTTP_HOST="admin.example.com").status_code in (200, 302)


def test_no_page_shows_the_devices_with_their_secrets(admin_client: Client, settings: Settings) -> None:
    settings.STAFF_MFA_REQUIRED = False
    for path in ("accounts/staffauthenticator/", "accounts/staffbackupcodes/"):
        assert admin_client.get(f"/admin/{path}").status_code == 404


def test_neither_secret_nor_backup_codes_can_be_read_in_the_database(member: Staff) -> None:
    secret, codes = enrol(sign_in(member)[0])
    stored = everything_stored()
    raw = base64.b32decode(secret)
    for text in (secret, secret.encode().hex(), raw.hex(), base64.b64encode(raw).decode(), *codes):
        assert text.lower() not in stored.lower()


def test_mfa_outlives_a_change_of_the_encryption_key(member: Staff, settings: Settings) -> None:
    secret, codes = enrol(sign_in(member)[0])
    settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.KEY_ENCRYPTION_KEYS]
    for code in (next_code(secret), codes[0]):
        assert may_enter(sign_in(member, code=code)[0])


def test_new_mfa_is_written_with_the_encryption_key_in_front(member: Staff, settings: Settings) -> None:
    new = Fernet.generate_key().decode()
    settings.KEY_ENCRYPTION_KEYS = [new, *settings.KEY_ENCRYPTION_KEYS]
    secret, _ = enrol(sign_in(member)[0])
    assert Fernet(new).decrypt(bytes(StaffAuthenticator.objects.get().secret)).decode() == secret


def test_a_command_resets_the_mfa_of_the_last_superuser(member: Staff) -> None:
    client = sign_in(member)[0]
    enrol(client)
    call_command("reset_mfa", member.username)
    assert not may_enter(client)
    assert sign_in(member)[0].get(HOME, follow=True).redirect_chain[-1][0] == ENROL


def test_a_reset_of_somebody_unknown_is_an_error(db: None) -> None:
    with pytest.raises(CommandError, match="There is no member of staff 'nobody'"):
        call_command("reset_mfa", "nobody")
