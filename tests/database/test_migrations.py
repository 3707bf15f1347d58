"""The migrations: complete, reversible, and within PostgreSQL's limits."""

from __future__ import annotations

from typing import Any

import pgtrigger
import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import Settings

from accounts.models import EmailAddress, User

APPS = ["database", "audit", "accounts", "organizations", "memberships", "staff"]
NAME_LIMIT = 63
"""NAMEDATALEN - 1, in bytes. PostgreSQL cuts a longer name without a word, and then errors name another one."""
Schema = list[tuple[str, str, str]]
"""Kind, name and definition of everything there is."""


def _schema() -> Schema:
    """The schema as PostgreSQL tells it. Not the triggers' functions: reversing leaves them behind, unused."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT 'column', table_name || '.' || column_name,
                concat_ws(' ', data_type, is_nullable, column_default, character_maximum_length)
            FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL
            SELECT 'constraint', conname, conrelid::regclass || ' ' || pg_get_constraintdef(oid)
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL
            SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL
            SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
            ORDER BY 1, 2, 3
            """
        )
        return [tuple(row) for row in cursor.fetchall()]


def _models() -> list[type[models.Model]]:
    return [model for app in APPS for model in apps.get_app_config(app).get_models()]


@pytest.fixture(scope="module")
def reversed_and_applied(shared_rows: None) -> tuple[Schema, int]:
    """The schema as it was before all migrations were reversed and applied again, and the id of a user whom the later
    ones found, with the address "Ada@example.com"; another user had none.

    PostgreSQL's DDL is transactional: the end of the module rolls all of this back, whatever becomes of it.
    """
    before = _schema()
    MigrationExecutor(connection).migrate([(app, None) for app in APPS])
    assert not {model._meta.db_table for model in _models()} & set(connection.introspection.table_names())
    assert not [name for kind, name, _ in _schema() if kind == "trigger"]
    of_old = MigrationExecutor(connection).migrate([("accounts", "0006_default_roles")]).apps
    deployment = of_old.get_model("accounts", "Deployment").objects.create(name="Old", host="old.example.com")
    users = of_old.get_model("accounts", "User").objects
    user = users.create(deployment=deployment, email="Ada@example.com")
    users.create(deployment=deployment, email="", username="x")
    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    return before, user.pk


@pytest.mark.django_db
def test_all_migrations_can_be_reversed_and_applied_again(reversed_and_applied: tuple[Schema, int]) -> None:
    before, _ = reversed_and_applied
    assert _schema() == before


@pytest.mark.django_db
def test_the_addresses_of_users_from_before_are_taken_over(reversed_and_applied: tuple[Schema, int]) -> None:
    """From before a user could have several."""
    _, user_id = reversed_and_applied

    def addresses() -> list[tuple[Any, ...]]:
        return list(EmailAddress.objects.values_list("user_id", "email", "is_primary", "verified_at"))

    assert addresses() == [(user_id, "Ada@example.com", True, None)]
    User.objects.filter(pk=user_id).update(email="new@example.com")
    assert addresses() == [(user_id, "new@example.com", True, None)]


@pytest.mark.django_db
def test_every_constraint_index_and_trigger_has_its_full_name_in_the_database() -> None:
    declared = {
        name
        for model in _models()
        for name in (
            *(constraint.name for constraint in model._meta.constraints),
            *(index.name for index in model._meta.indexes),
            *(trigger.get_pgid(model) for trigger in getattr(model._meta, "triggers", [])),
        )
    }
    assert len(declared) > len(_models())
    assert {name for name in declared if len(name.encode()) > NAME_LIMIT} == set()
    assert declared - {name for _, name, _ in _schema()} == set()


def test_every_trigger_is_registered_under_a_name_of_its_own() -> None:
    declared = [trigger.get_pgid(model) for model in _models() for trigger in getattr(model._meta, "triggers", [])]
    assert [trigger.get_pgid(model) for model, trigger in pgtrigger.registered()] == declared
    assert len({*declared}) == len(declared)


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_a_database_of_an_older_set_is_met_with_one_clear_line(command: str, settings: Settings) -> None:
    settings.PORT = 0  # any: the usual one may be in use
    MigrationRecorder(connection).record_unapplied("database", "0001_initial")
    with pytest.raises(CommandError, match="make clean") as caught:
        call_command(command)
    assert len(str(caught.value).splitlines()) == 1
