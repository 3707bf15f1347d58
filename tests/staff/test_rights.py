"""Staff have rights in some deployments or in all of them, and none without any."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User as Staff
from django.test import Client

from staff.models import StaffAccess
from staff.pages.staff import NOWHERE
from tests.support.admin import errors, saved, send, url
from tests.support.factories import OPERATOR, DeploymentFactory, staff

pytestmark = pytest.mark.django_db


def test_rights_without_any_deployment_are_refused(admin_client: Client) -> None:
    member = Staff.objects.create_user("new", is_staff=True)
    response = send(admin_client, url(StaffAccess, "add"), user=member.pk, role=OPERATOR)
    assert errors(response) == NOWHERE
    assert not StaffAccess.objects.filter(user=member).exists()


@pytest.mark.parametrize("everywhere", [False, True])
def test_rights_in_a_deployment_or_in_all_of_them_are_saved(admin_client: Client, everywhere: bool) -> None:
    member = Staff.objects.create_user("new", is_staff=True)
    where = {"all_deployments": "on"} if everywhere else {"deployments": [DeploymentFactory.create(name="Nord").pk]}
    assert saved(send(admin_client, url(StaffAccess, "add"), user=member.pk, role=OPERATOR, **where))
    shown = admin_client.get(url(StaffAccess, "changelist")).content.decode()
    assert (">all<" if everywhere else ">Nord<") in shown


def test_rights_that_have_lost_their_last_deployment_say_so(admin_client: Client) -> None:
    deployment = DeploymentFactory.create()
    access = StaffAccess.objects.get(user=staff(deployment))
    deployment.delete()
    assert "none: allows nothing" in admin_client.get(url(StaffAccess, "changelist")).content.decode()
    assert errors(send(admin_client, url(access, "change"))) == NOWHERE
