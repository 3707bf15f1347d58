"""The pages for staff of deployments, users and sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import check_password
from django.test import Client
from django.utils import timezone

from accounts.models import Deployment, DeploymentAlias, SigningKey, User
from accounts.tokens.keys import create_signing_key, signing_key
from staff.models import StaffAccess
from tests.support.admin import add_to_inline, errors, form_at, go_on, saved, send, url
from tests.support.api import ApiClient
from tests.support.factories import (
    DeploymentFactory,
    UserFactory,
    backup_code,
    confirmed_authenticator,
    session_of,
    staff,
    token_of,
)

PASSWORD = "a quite unguessable phrase"


def act(client: Client, action: str, *rows: Any) -> Any:
    """Choose ``action`` for ``rows`` in their list."""
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(url(type(rows[0]), "changelist"), data, follow=True)


def test_a_new_password_is_stored_as_a_hash(admin_client: Client, user: User) -> None:
    assert saved(send(admin_client, url(user, "change"), new_password=PASSWORD))
    user.refresh_from_db()
    assert PASSWORD not in user.password
    assert check_password(PASSWORD, user.password)


def test_a_new_user_can_get_a_password(admin_client: Client, deployment: Deployment) -> None:
    fields = {"deployment": deployment.pk, "email": "new@example.com", "new_password": PASSWORD}
    assert saved(send(admin_client, url(User, "add"), **fields))
    assert check_password(PASSWORD, User.objects.get(email="new@example.com").password)


def test_without_a_new_password_the_old_one_stays(admin_client: Client, user: User) -> None:
    user.set_password(PASSWORD)
    user.save()
    assert saved(send(admin_client, url(user, "change"), first_name="Ada"))
    user.refresh_from_db()
    assert (user.first_name, check_password(PASSWORD, user.password)) == ("Ada", True)


@pytest.mark.parametrize("password", ["short", "ada.lindqvist@example.com"])
def test_a_poor_password_is_refused(admin_client: Client, user: User, password: str) -> None:
    """Poor by the names that the very form gives the user, too."""
    response = send(admin_client, url(user, "change"), email="ada.lindqvist@example.com", new_password=password)
    assert "password is too" in errors(response)
    user.refresh_from_db()
    assert (user.email != "ada.lindqvist@example.com", user.password) == (True, "")


def test_a_password_is_neither_logged_nor_shown_again(admin_client: Client, user: User) -> None:
    refused = send(admin_client, url(user, "change"), email="no address", new_password=PASSWORD)
    assert PASSWORD not in refused.content.decode()
    send(admin_client, url(user, "change"), new_password=PASSWORD)
    assert PASSWORD not in str(LogEntry.objects.values_list("change_message", "object_repr"))


@pytest.mark.parametrize("field", ["email", "username"])
def test_a_name_of_another_user_of_the_deployment_is_refused(admin_client: Client, user: User, field: str) -> None:
    """The deployment cannot be changed in this form, yet it counts."""
    other = UserFactory.create(deployment=user.deployment, username="bo", email="bo@example.com")
    response = send(admin_client, url(user, "change"), **{field: getattr(other, field).upper()})
    assert "Another user of this deployment has this" in errors(response)


def test_a_name_of_a_user_of_another_deployment_is_free(admin_client: Client, user: User) -> None:
    other = UserFactory.create()
    assert saved(send(admin_client, url(user, "change"), email=other.email))


def test_a_user_needs_a_name(admin_client: Client, user: User) -> None:
    assert "A user needs an e-mail address or a username." in errors(send(admin_client, url(user, "change"), email=""))


def test_a_users_deployment_cannot_be_changed(admin_client: Client, user: User) -> None:
    assert saved(send(admin_client, url(user, "change"), deployment=DeploymentFactory.create().pk))
    assert User.objects.get(pk=user.pk).deployment == user.deployment


@pytest.mark.parametrize(
    ("authenticators", "codes", "shown"),
    [
        (0, 0, "Not set up"),
        (1, 0, "1 authenticator"),
        (0, 2, "Not set up"),
        (1, 1, "1 authenticator and 1 unused backup code"),
    ],
)
def test_mfa_is_shown(admin_client: Client, user: User, authenticators: int, codes: int, shown: str) -> None:
    for _ in range(authenticators):
        confirmed_authenticator(user)
    for _ in range(codes):
        backup_code(user)
    assert f">{shown}<" in admin_client.get(url(user, "change")).content.decode()


def test_the_host_of_an_alias_is_refused_to_a_deployment(admin_client: Client, deployment: Deployment) -> None:
    DeploymentAlias.objects.create(deployment=DeploymentFactory.create(), host="taken.example.com")
    response = send(admin_client, url(deployment, "change"), host="taken.example.com")
    assert "This host is already an alias of a deployment." in errors(response)


def test_the_host_of_a_deployment_is_refused_to_an_alias(admin_client: Client, deployment: Deployment) -> None:
    other = DeploymentFactory.create()
    response = add_to_inline(admin_client, url(deployment, "change"), "aliases", {"host": other.host})
    assert "This host already belongs to a deployment." in errors(response)


def test_an_alias_like_the_host_in_the_same_form_is_refused(admin_client: Client) -> None:
    """Neither is in the database yet, so only the database can tell, and what was typed must not be lost."""
    response = add_to_inline(
        admin_client, url(Deployment, "add"), "aliases", {"host": "new.example.com"}, name="New", host="new.example.com"
    )
    assert "The host already belongs to a deployment." in errors(response)
    assert not Deployment.objects.filter(name="New").exists()
    assert 'value="new.example.com"' in response.content.decode()


def test_a_text_that_is_no_host_is_refused(admin_client: Client, deployment: Deployment) -> None:
    address = url(deployment, "change")
    form = form_at(admin_client, address)
    for host in ("UPPER.example.com", "example.com:80", "https://example.com", "", "a b"):
        assert errors(admin_client.post(address, form | {"host": host})), host


def test_origins_are_written_one_a_line(admin_client: Client, deployment: Deployment) -> None:
    text = "https://app.example.com\r\n\r\n  http://localhost:3000 \r\n"
    assert saved(send(admin_client, url(deployment, "change"), allowed_origins=text))
    deployment.refresh_from_db()
    assert deployment.allowed_origins == ["https://app.example.com", "http://localhost:3000"]


def test_a_bad_origin_is_named_with_its_line(admin_client: Client, deployment: Deployment) -> None:
    response = send(admin_client, url(deployment, "change"), allowed_origins="https://app.example.com\r\nexample.com/")
    assert "Line 2: example.com/ is not an origin" in errors(response)


def test_a_deployment_gets_a_new_signing_key_by_an_action(admin_client: Client, deployment: Deployment) -> None:
    """Once it is confirmed: the page before says what will happen."""
    old = signing_key(deployment)
    asked = act(admin_client, "create_new_signing_key", deployment).content.decode()
    assert signing_key(deployment) == old
    assert f"The key {old.kid} goes on verifying: nobody is signed out." in " ".join(asked.split())
    go_on(admin_client, "create_new_signing_key", deployment)
    assert signing_key(deployment) != old
    assert SigningKey.objects.count() == 2


def test_a_key_shows_its_state(admin_client: Client, deployment: Deployment) -> None:
    hour = timedelta(hours=1)
    now = timezone.now()
    values: dict[str, dict[str, Any]] = {
        "revoked: its tokens are refused": {"revoked_at": now, "tokens_until": now + hour},
        "retired: its last token has expired": {"retired_at": now - hour, "tokens_until": now - hour},
        f"retired: verifies until {now + hour:%Y-%m-%d %H:%M}": {"retired_at": now, "tokens_until": now + hour},
        "replaced: verifies, a newer key signs": {},
        "active: signs and verifies": {},
    }
    keys = [deployment.signing_keys.get(), *(create_signing_key(deployment=deployment) for _ in range(4))]
    outside = {"issuer": "https://id.example", "kid": "k", "public_key": keys[0].public_key}
    keys.append(SigningKey.objects.create(deployment=deployment, **outside))
    for key, columns in zip(keys, values.values(), strict=False):
        SigningKey.objects.filter(pk=key.pk).update(**columns)
    states = [*values, "trusted: verifies tokens of https://id.example"]
    inline = admin_client.get(url(deployment, "change")).content.decode()
    listed = admin_client.get(url(SigningKey, "changelist")).content.decode()
    for key, state in zip(keys, states, strict=True):
        assert state in inline
        assert state in listed
        assert state in admin_client.get(url(key, "change")).content.decode()


@pytest.mark.parametrize(("action", "status"), [("retire", 200), ("revoke", 401)])
def test_a_key_can_be_retired_or_revoked(admin_client: Client, user: User, action: str, status: int) -> None:
    """Retired, it still verifies."""
    token = token_of(user)
    key = signing_key(user.deployment)
    act(admin_client, action, key)
    assert signing_key(user.deployment) == key
    go_on(admin_client, action, key)
    assert signing_key(user.deployment) != key
    assert ApiClient(user.deployment, token=token).get().status_code == status


def test_a_revoked_key_keeps_the_time_of_its_revocation(admin_client: Client, deployment: Deployment) -> None:
    key = signing_key(deployment)
    for _ in range(2):
        go_on(admin_client, "revoke", key)
        revoked_at, key.revoked_at = key.revoked_at, SigningKey.objects.get(pk=key.pk).revoked_at
    assert revoked_at == key.revoked_at is not None


@pytest.mark.parametrize("of_sign_in", [False, True])
def test_selected_sessions_are_ended(admin_client: Client, user: User, of_sign_in: bool) -> None:
    kept, ended = ApiClient(user.deployment, user), ApiClient(user.deployment, user)
    assert kept.get().status_code == ended.get().status_code == 200
    session = user.deployment.sessions.latest("pk")
    chosen = session.sign_ins.get() if of_sign_in else session
    act(admin_client, "end", chosen)
    assert ended.get().status_code == 200
    go_on(admin_client, "end", chosen)
    assert (kept.get().status_code, ended.get().status_code) == (200, 401)


def test_staff_who_may_only_read_end_nothing(user: User) -> None:
    client = Client()
    client.force_login(staff(user.deployment, role=StaffAccess.Role.SUPPORT))
    session = session_of(user)
    for action, row in (("end", session), ("end", session.sign_ins.get()), ("revoke", signing_key(user.deployment))):
        act(client, action, row)
        go_on(client, action, row)
        row.refresh_from_db()
    act(client, "create_new_signing_key", user.deployment)
    go_on(client, "create_new_signing_key", user.deployment)
    assert session.ended_at is None
    assert SigningKey.objects.filter(revoked_at__isnull=True).count() == SigningKey.objects.count() == 1


@pytest.mark.parametrize("device", [confirmed_authenticator, backup_code])
def test_support_resets_mfa_by_deleting_its_devices(admin_client: Client, user: User, device: Any) -> None:
    act_on = device(user)
    assert saved(admin_client.post(url(act_on, "delete"), {"post": "yes"}))
    assert not type(act_on).objects.exists()
