"""The one search of the admin: each kind of thing by its names and ids, within what the member of staff may see."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts.models import EmailAddress, SignIn
from memberships.models import OrganizationMembership
from staff.toolkit import search
from staff.toolkit.links import page_of
from tests.support.admin import url
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    UserFactory,
    WorkspaceFactory,
    join,
    join_organization,
    session_of,
    staff,
)

pytestmark = pytest.mark.django_db


def results(client: Client, text: str) -> dict[str, list[str]]:
    """The addresses that a search finds, by their groups."""
    response = client.get("/admin/search/", {"q": text})
    assert response.status_code == 200
    groups = re.split(r'role="group" aria-label="([^"]*)"', response.content.decode())[1:]
    return {
        unescape(title): [unescape(link) for link in re.findall(r'href="([^"]*)"', part)]
        for title, part in zip(groups[::2], groups[1::2], strict=True)
    }


@pytest.fixture
def world() -> dict[str, Any]:
    """Ada, an organization, a workspace, her memberships of both, and a sign-in."""
    organization = OrganizationFactory.create(name="Ostwind Brewery")
    workspace = WorkspaceFactory.create(organization=organization, name="Cellar")
    user = UserFactory.create(
        deployment=organization.deployment,
        email="ada.l@firm.example",
        username="countess",
        first_name="Ada",
        last_name="Lovelace",
        external_id="auth0|7f-19",
    )
    membership = join(user, workspace)
    sign_in = session_of(user).sign_ins.get()
    SignIn.objects.filter(pk=sign_in.pk).update(ip_address="198.51.100.23", user_agent="Firefox/1 Windows")
    EmailAddress.objects.create(user=user, email="ada@elsewhere.example", verified_at=sign_in.created_at)
    return {
        "Users": page_of(user),
        "Organizations": page_of(organization),
        "Workspaces": page_of(workspace),
        "Organization memberships": page_of(OrganizationMembership.objects.get(user=user)),
        "Workspace memberships": page_of(membership),
        "Sign-ins": page_of(sign_in),
    }


def test_each_name_and_number_finds_its_rows(admin_client: Client, world: dict[str, str]) -> None:
    of_ada = {"Users", "Organization memberships", "Workspace memberships", "Sign-ins"}
    cases = {
        "love": of_ada,  # half a name
        "ADA.L@FIRM.example": of_ada,
        "countess": of_ada,
        "auth0|7f-19": of_ada,
        "ada@elsewhere.example": {"Users"},  # another address of hers
        "ostw": {"Organizations", "Workspaces", "Organization memberships", "Workspace memberships"},
        "cellar": {"Workspaces", "Workspace memberships"},
        "ada cellar": {"Workspace memberships"},
        "198.51.100.23": {"Sign-ins"},
        "::ffff:198.51.100.23": {"Sign-ins"},
        "198.51.100.24": set(),
        "zzzz": set(),
    }
    for text, groups in cases.items():
        assert results(admin_client, text) == {group: [world[group]] for group in groups}, text


def test_an_id_finds_the_rows_that_have_it(admin_client: Client, world: dict[str, str]) -> None:
    for group, link in world.items():
        assert link in results(admin_client, link.split("/")[-3])[group]


def test_pages_are_found_by_other_words_for_what_is_on_them(admin_client: Client) -> None:
    assert results(admin_client, "mfa")["Pages"] == ["/admin/accounts/authenticator/", "/admin/accounts/backupcode/"]
    assert results(admin_client, "Audit L")["Pages"] == ["/admin/audit/auditentry/"]
    support = Client()
    support.force_login(staff(DeploymentFactory.create(), role="support"))
    assert "/admin/memberships/workspacemembership/import/" in results(admin_client, "import")["Pages"]
    assert results(support, "import") == {}


def test_the_user_so_called_comes_before_those_whose_names_begin_so(admin_client: Client) -> None:
    deployment = DeploymentFactory.create()
    for number in range(7):
        UserFactory.create(deployment=deployment, email=f"sam{number}@firm.example", first_name="Sam")
    user = UserFactory.create(deployment=deployment, username="sam", email="last@firm.example")
    found = results(admin_client, "Sam")["Users"]
    assert found[0] == page_of(user)
    assert len(found) == 6
    assert found[-1] == "/admin/accounts/user/?q=Sam"


def test_a_person_is_found_by_both_names_however_many_have_one(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_RELATED", 2)
    organization = OrganizationFactory.create(name="Brewery")
    for first_name, last_name in [*[("Ada", "Byron"), ("Jane", "Lovelace")] * 3, ("Ada", "Lovelace")]:
        user = UserFactory.create(deployment=organization.deployment, first_name=first_name, last_name=last_name)
        membership, sign_in = join_organization(user, organization), session_of(user).sign_ins.get()
    for row in (membership, sign_in):
        page = admin_client.get(url(type(row), "changelist"), {"q": "ada lovelace"}).content.decode()
        assert page_of(row) in page
    found = results(admin_client, "ada lovelace")
    assert {page_of(user), page_of(membership), page_of(sign_in)} <= {
        link for links in found.values() for link in links
    }


def test_the_id_and_a_name_of_a_thing_find_what_belongs_to_it(admin_client: Client) -> None:
    organization = OrganizationFactory.create(name="Brewery")
    workspace = WorkspaceFactory.create(organization=organization, name="Cellar door")
    user = UserFactory.create(deployment=organization.deployment, first_name="Ada")
    membership = join(user, workspace)
    for text in (f"{user.pk} ada", f"ada {user.pk}", f"{workspace.pk} cell", "door brewery cellar"):
        page = admin_client.get(url(type(membership), "changelist"), {"q": text}).content.decode()
        assert page_of(membership) in page, text


def test_a_list_looks_for_both_parts_though_the_whole_text_finds_enough(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_RELATED_QUICKLY", 1)
    organization = OrganizationFactory.create(name="Brewery")
    users = [
        UserFactory.create(deployment=organization.deployment, first_name="Ada", last_name=name)
        for name in ("Brewery", "Byron")
    ]
    both = {page_of(join_organization(user, organization)) for user in users}
    listed = admin_client.get(url(OrganizationMembership, "changelist"), {"q": "ada brewery"}).content.decode()
    assert {link for link in both if link in listed} == both


def test_a_search_that_looked_at_some_rows_says_so(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_RELATED", 1)
    UserFactory.create_batch(2, first_name="Ada")
    for text, told in (("ada zzzz", "Nothing found among the first rows that match."), ("zzzz", "Nothing found.")):
        assert f'data-status="{told}' in admin_client.get("/admin/search/", {"q": text}).content.decode()


def test_a_search_that_says_nothing_finds_nothing(admin_client: Client, world: dict[str, str]) -> None:
    for text in ("", " ", "a", "\0", "'", "|", "a" * 5000, "9" * 30, "İ", "%", "198.51.100.23/8", "fe80::1%eth0"):
        assert results(admin_client, text) == {}, text


def test_results_are_of_ones_own_deployments_alone(world: dict[str, str]) -> None:
    client = Client()
    client.force_login(staff(DeploymentFactory.create()))
    texts = ["love", "ostw", "ada.l@firm.example", "ada@elsewhere.example", "countess", "198.51.100.23", "ada cellar"]
    for text in [*texts, *(link.split("/")[-3] for link in world.values())]:
        assert not set(world.values()) & {link for links in results(client, text).values() for link in links}, text


def test_nobody_else_searches(client: Client) -> None:
    assert client.get("/admin/search/", {"q": "ada"}).status_code == 302
