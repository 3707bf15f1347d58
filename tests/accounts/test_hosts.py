"""A host is normalised, and leads to one deployment, as its own or as an alias."""

from __future__ import annotations

from contextlib import closing

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from psycopg.errors import LockNotAvailable

from accounts.models import Deployment, DeploymentAlias
from tests.support.cases import each, named
from tests.support.database import Insert, Update, each_insert, each_update, execute, refused
from tests.support.factories import DeploymentFactory

NOT_NORMALISED = [
    "",
    " ",
    ".",
    "D1.example.com",
    "d1.example.com.",
    ".d1.example.com",
    "d1..example.com",
    "d1.example.com:443",
    "d1.example.com/",
    "https://d1.example.com",
    " d1.example.com",
    "d1.example.com\n",
    "d1_.example.com",
    "-d1.example.com",
    "d1-.example.com",
    "d\u00f6.example.com",
    "[2001:db8::7]",
    "2001:DB8::7",
    "a" * 64 + ".example.com",
]


@each_insert
def test_a_deployments_host_is_normalised(db: None, insert: Insert) -> None:
    for host in NOT_NORMALISED:
        with named(host), refused("accounts_deployment_host_is_normalised"):
            insert(Deployment, {"name": "Deployment", "host": host})


@each_insert
def test_an_aliass_host_is_normalised(deployment: Deployment, insert: Insert) -> None:
    for host in NOT_NORMALISED:
        with named(host), refused("accounts_deploymentalias_host_is_normalised"):
            insert(DeploymentAlias, {"deployment_id": deployment.pk, "host": host})


def test_forms_refuse_the_hosts_that_the_database_refuses() -> None:
    for host in NOT_NORMALISED:
        with named(host):
            with pytest.raises(ValidationError) as caught:
                Deployment(name="Deployment", host=host).clean_fields()
            assert set(caught.value.message_dict) == {"host"}


@each_insert
@each("host", ["localhost", "127.0.0.1", "a", "2001:db8::7", "::1", "xn--d-fga.example.com", "a" * 63 + ".example.com"])
def test_a_host_may_be_a_name_or_an_address(db: None, insert: Insert, host: str) -> None:
    Deployment(name="Deployment", host=host).clean_fields()
    insert(Deployment, {"name": "Deployment", "host": host})
    assert Deployment.objects.filter(host=host).exists()


@each_insert
def test_two_deployments_have_not_the_same_host(deployment: Deployment, insert: Insert) -> None:
    with refused("accounts_deployment_host_key"):
        insert(Deployment, {"name": "Other", "host": deployment.host})


@each_insert
def test_an_alias_is_of_one_deployment(deployment: Deployment, insert: Insert) -> None:
    DeploymentAlias.objects.create(deployment=deployment, host="alias.example.com")
    with refused("accounts_deploymentalias_host_key"):
        insert(DeploymentAlias, {"deployment_id": DeploymentFactory.create().pk, "host": "alias.example.com"})


@each_insert
@pytest.mark.parametrize("whose", ["its own deployment's", "another deployment's"])
def test_an_alias_is_no_deployments_host(deployment: Deployment, insert: Insert, whose: str) -> None:
    host = deployment.host if whose == "its own deployment's" else DeploymentFactory.create().host
    with refused("alias_is_no_deployments_host"):
        insert(DeploymentAlias, {"deployment_id": deployment.pk, "host": host})


@each_insert
def test_a_deployments_host_is_no_alias(deployment: Deployment, insert: Insert) -> None:
    DeploymentAlias.objects.create(deployment=deployment, host="alias.example.com")
    with refused("host_is_no_alias"):
        insert(Deployment, {"name": "Other", "host": "alias.example.com"})


@pytest.mark.parametrize("first", ["deployment", "alias"])
def test_one_host_is_given_by_one_transaction_at_a_time(deployment: Deployment, first: str) -> None:
    inserts = {
        "deployment": "INSERT INTO accounts_deployment (name, host) VALUES ('Other', 'new.example')",
        "alias": f"INSERT INTO accounts_deploymentalias (deployment_id, host) VALUES ({deployment.pk}, 'new.example')",
    }
    execute(inserts.pop(first))
    with closing(connection.get_new_connection(connection.get_connection_params())) as other:
        other.execute("SET lock_timeout = 20")
        with pytest.raises(LockNotAvailable):
            other.execute(*inserts.values())


@each_update
def test_a_host_cannot_become_an_alias_nor_the_reverse(deployment: Deployment, update: Update) -> None:
    alias = DeploymentAlias.objects.create(deployment=deployment, host="alias.example.com")
    with refused("host_is_no_alias"):
        update(deployment, host=alias.host)
    with refused("alias_is_no_deployments_host"):
        update(alias, host=deployment.host)
