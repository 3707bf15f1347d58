"""Staff are told that an organization keeps an administrator, and may let the last one go knowingly."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.test import Client

from accounts.models import Deployment, User
from memberships.import_export.importing import Report, run_import
from memberships.models import Administrator, OrganizationMembership, OrganizationMembershipRole
from organizations.models import OrganizationRole
from staff.toolkit.refusals import WITHOUT_ADMIN
from tests.support.admin import choose, go_on, saved, send, url
from tests.support.factories import OrganizationFactory, join_organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def membership(user: User) -> OrganizationMembership:
    """The membership of the only administrator."""
    role = OrganizationRole.objects.get(deployment=user.deployment, name="Admin")
    return join_organization(user, OrganizationFactory.create(deployment=user.deployment, name="Nord"), role)


SENTENCE = "The organization “Nord” must keep an administrator: make another member one first."


def refused(response: Any) -> bool:
    """Whether the page names the organization, says that nothing was saved, and offers the way out."""
    page = response.content.decode()
    assert "successfully" not in page
    assert Administrator.objects.exists()
    return response.status_code == 200 and SENTENCE in page and f'name="{WITHOUT_ADMIN}"' in page


@pytest.mark.parametrize("kind", ["a role", "a user"])
def test_a_form_is_refused_until_staff_say_that_they_know(
    admin_client: Client, membership: OrganizationMembership, kind: str
) -> None:
    if kind == "a role":
        address = url(OrganizationRole.objects.get(memberships=membership), "change")
        changes: dict[str, Any] = {"permissions": "organization:member"}
    else:
        address, changes = url(membership.user, "change"), {"disabled": "on"}
    assert refused(send(admin_client, address, **changes))
    assert saved(send(admin_client, address, **changes, without_admin="on"))
    assert not Administrator.objects.exists()


def test_a_role_taken_on_the_members_page_is_refused(admin_client: Client, membership: OrganizationMembership) -> None:
    address = url(membership, "change")
    assert refused(send(admin_client, address, **{"given_roles-0-DELETE": "on"}))
    assert saved(send(admin_client, address, **{"given_roles-0-DELETE": "on"}, without_admin="on"))


def test_another_administrating_role_may_take_its_place(
    admin_client: Client, membership: OrganizationMembership
) -> None:
    owner = OrganizationRole.objects.create(
        deployment=membership.deployment, name="Owner", permissions=["organization:admin"]
    )
    changes = {"given_roles-0-DELETE": "on", "given_roles-TOTAL_FORMS": "2", "given_roles-1-role": owner.pk}
    assert saved(send(admin_client, url(membership, "change"), **changes))
    assert Administrator.objects.get().membership == membership


@pytest.mark.parametrize("kind", ["membership", "user", "role"])
def test_deleting_is_refused_until_staff_say_that_they_know(
    admin_client: Client, membership: OrganizationMembership, kind: str
) -> None:
    row = {"membership": membership, "user": membership.user, "role": membership.roles.get()}[kind]
    address = url(row, "delete")
    assert refused(admin_client.post(address, {"post": "yes"}))
    assert admin_client.post(address, {"post": "yes", WITHOUT_ADMIN: "on"}).status_code == 302
    assert not Administrator.objects.exists()


def test_deleting_the_organization_needs_no_more(admin_client: Client, membership: OrganizationMembership) -> None:
    organization = membership.organization
    data = {"post": "yes", "typed_name": organization.name}
    assert admin_client.post(url(organization, "delete"), data).status_code == 302
    assert not Administrator.objects.exists()


def test_deleting_several_is_refused_with_the_reason(admin_client: Client, membership: OrganizationMembership) -> None:
    data = {"action": "delete_selected", "_selected_action": [membership.user.pk], "post": "yes"}
    response = admin_client.post(url(User, "changelist"), data, follow=True)
    assert SENTENCE in response.content.decode()
    assert "Successfully" not in response.content.decode()
    assert User.objects.filter(pk=membership.user.pk).exists()


def test_a_bulk_action_previews_the_refusal_and_the_way_out(
    admin_client: Client, membership: OrganizationMembership
) -> None:
    assert refused(choose(admin_client, "disable", membership.user))
    preview = go_on(admin_client, "disable", membership.user, press="preview", without_admin="on")
    assert [change.text for change in preview.context["changes"]] == ["is disabled"]
    assert 'name="without_admin" checked' in preview.content.decode()
    assert refused(go_on(admin_client, "disable", membership.user))
    assert go_on(admin_client, "disable", membership.user, without_admin="on").status_code == 302
    assert not Administrator.objects.exists()


def test_roles_of_many_are_taken_only_knowingly(admin_client: Client, membership: OrganizationMembership) -> None:
    take: dict[str, Any] = {"take": [membership.roles.get().pk]}
    assert refused(go_on(admin_client, "change_roles", membership, press="preview", **take))
    assert refused(go_on(admin_client, "change_roles", membership, **take))
    assert go_on(admin_client, "change_roles", membership, **take, without_admin="on").status_code == 302
    assert not OrganizationMembershipRole.objects.exists()


def imported(membership: OrganizationMembership, *lines: str, **options: Any) -> Report:
    text = "\n".join(["organization,user,organization_roles", *lines])
    steps = run_import(BytesIO(text.encode()), deployments=Deployment.objects.all(), **options)
    (report,) = [step for step in steps if isinstance(step, Report)]
    return report


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_import_says_which_organization_would_lose_its_last(
    membership: OrganizationMembership, dry_run: bool
) -> None:
    line = f"Nord,{membership.user},Member"
    report = imported(membership, line, dry_run=dry_run)
    assert not report.saved
    assert [error.message for error in report.errors] == [f"{SENTENCE[:-1]}, or allow it to have none."]
    assert Administrator.objects.exists()
    assert imported(membership, line, dry_run=dry_run, without_admin=True).errors == []
    assert Administrator.objects.exists() is dry_run


def test_an_import_may_hand_over(membership: OrganizationMembership) -> None:
    heir = User.objects.create(deployment=membership.deployment, email="heir@example.com")
    report = imported(membership, f"Nord,{membership.user},Member", f"Nord,{heir},Admin")
    assert report.saved, report.errors
    assert Administrator.objects.get().membership.user == heir
