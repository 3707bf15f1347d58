"""Every entry of the audit log names the person or command that made the change."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.tokens.keys import create_signing_key
from audit import actors
from audit.models import AuditEntry
from organizations.models import Organization
from tests.support.admin import send, url
from tests.support.api import ApiClient
from tests.support.audit import the_entry_of
from tests.support.database import execute
from tests.support.factories import DeploymentFactory, OrganizationFactory

pytestmark = pytest.mark.django_db


def test_staff_are_named_with_their_address(admin_client: Client) -> None:
    organization = OrganizationFactory.create()
    send(admin_client, url(organization, "change"), name="Renamed")
    entry = the_entry_of(organization)
    assert (entry.actor_kind, entry.actor_name, entry.address) == ("staff", "admin", "127.0.0.1")
    assert entry.actor_id is not None


def test_a_user_of_the_api_is_named(user: User) -> None:
    ApiClient(user.deployment, user).post("/me/authenticator")
    entry = AuditEntry.objects.filter(model="accounts.authenticator").latest("pk")
    assert (entry.actor_kind, entry.actor_id, entry.actor_name) == ("user", user.pk, str(user))
    assert entry.address == "127.0.0.1"


def test_a_user_who_signs_out_is_named(user: User) -> None:
    client = ApiClient(user.deployment, user)
    client.post("/session/sign-out", {})
    entry = AuditEntry.objects.filter(model="accounts.session").latest("pk")
    assert (entry.actor_kind, entry.actor_name) == ("user", str(user))


def test_a_command_is_named() -> None:
    with actors.acting(actors.command("rotate_keys")):
        key = create_signing_key(deployment=DeploymentFactory.create())
    entry = the_entry_of(key)
    assert (entry.actor_kind, entry.actor_name, entry.address) == ("command", "rotate_keys", None)


def test_there_is_no_actor_after_a_request(admin_client: Client) -> None:
    send(admin_client, url(OrganizationFactory.create(), "change"), name="Renamed")
    assert the_entry_of(OrganizationFactory.create()).actor_kind == "database"


def test_a_name_may_hold_characters_that_sql_and_python_treat_specially() -> None:
    name = """%s {} '; DROP TABLE x; -- \\ " \u2603 %(x)s"""
    with actors.acting(actors.command(name)):
        organization = OrganizationFactory.create()
        execute(
            "UPDATE organizations_organization SET description = 'without parameters 100%%' WHERE id = %s",
            [organization.pk],
        )
        execute(f"UPDATE organizations_organization SET image_url = 'x%' WHERE id = {organization.pk}", None)  # type: ignore[arg-type]  # the stubs forbid None
    entries = AuditEntry.objects.filter(object_id=organization.pk, model="organizations.organization")
    assert [entry.actor_name for entry in entries] == [name] * 3
    assert Organization.objects.get().description == "without parameters 100%"


def test_executemany_is_recorded_with_the_actor() -> None:
    organization = OrganizationFactory.create()
    with actors.acting(actors.command("many")), connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE organizations_organization SET name = %s WHERE id = %s",
            [["a", organization.pk], ["b", organization.pk]],
        )
    assert [entry.actor_name for entry in AuditEntry.objects.all()[:2]] == ["many", "many"]


def test_copy_is_recorded_with_the_actor() -> None:
    deployment = DeploymentFactory.create()
    with actors.acting(actors.command("load")), transaction.atomic(), connection.cursor() as cursor:
        actors.tell_database(connection)
        with cursor.copy("COPY accounts_user (deployment_id, email) FROM STDIN") as copy:
            copy.write_row([deployment.pk, "copied@x.example"])
    entry = AuditEntry.objects.get(name="copied@x.example", model="accounts.user")
    assert (entry.actor_kind, entry.actor_name) == ("command", "load")


def test_recording_a_change_costs_no_more_queries(django_assert_num_queries: Any) -> None:
    organization = OrganizationFactory.create()
    with actors.acting(actors.command("x")), django_assert_num_queries(1) as queries:
        assert Organization.objects.filter(pk=organization.pk).update(name="x") == 1
    assert "rollcall.actor" in queries.captured_queries[0]["sql"]
    with actors.acting(actors.command("x")), CaptureQueriesContext(connection) as queries:
        organization.refresh_from_db()
    assert "rollcall.actor" not in queries.captured_queries[0]["sql"]
