"""The permissions of staff, by role and deployment; without any, staff may do nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser, Permission
from django.contrib.auth.models import User as Staff
from django.db import IntegrityError
from django.db.models import Model

from accounts.models import Deployment, FailureCount, MailedCode, SpentToken, User
from memberships.models import ActiveMembership, WorkspaceMembership
from organizations.models import Organization
from staff.access.permissions import PRIVATE_METADATA, access_of, permissions_of, visible_to
from staff.models import SavedView, StaffAccess, StaffAuthenticator, StaffBackupCodes, StaffDeployment
from tests.support.admin import NEW_ROW
from tests.support.factories import (
    OPERATOR,
    SUPPORT,
    DeploymentFactory,
    OrganizationFactory,
    UserFactory,
    new_branch,
    staff,
)

TENANCY = [
    model
    for app in ("accounts", "organizations", "memberships", "audit", "staff")
    for model in apps.get_app_config(app).get_models()
]
NOT_OF_A_DEPLOYMENT = {
    FailureCount,
    MailedCode,
    SavedView,
    SpentToken,
    StaffAccess,
    StaffAuthenticator,
    StaffBackupCodes,
    StaffDeployment,
}

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "model", [model for model in NEW_ROW if model not in NOT_OF_A_DEPLOYMENT], ids=lambda model: model._meta.label
)
def test_staff_of_a_deployment_see_its_rows_and_no_others(model: type[Model]) -> None:
    own, other = NEW_ROW[model](), NEW_ROW[model]()
    assert list(visible_to(staff(_deployment_of(own)), model._default_manager.filter(pk__in=[own.pk, other.pk]))) == [
        own
    ]


def _deployment_of(row: Any) -> Deployment:
    path = row.deployment_path
    if path != "pk":
        for step in path.split("__"):
            row = getattr(row, step)
    return row if isinstance(row, Deployment) else Deployment.objects.get(pk=row)


def test_every_model_says_how_it_reaches_its_deployment() -> None:
    assert {model for model in TENANCY if not hasattr(model, "deployment_path")} == NOT_OF_A_DEPLOYMENT


def test_of_a_model_without_a_path_staff_of_a_deployment_see_nothing() -> None:
    FailureCount.objects.create(key="k", window_ends_at="2030-01-01T00:00Z", failures=1)
    assert not visible_to(staff(DeploymentFactory.create()), FailureCount.objects.all())
    assert visible_to(staff(all_deployments=True), FailureCount.objects.all())


def test_staff_of_several_deployments_see_the_rows_of_each() -> None:
    first, _second, third = (OrganizationFactory.create() for _ in range(3))
    seen = visible_to(staff(first.deployment, third.deployment), Organization.objects.order_by("pk"))
    assert list(seen) == [first, third]


@pytest.mark.parametrize("role", [SUPPORT, OPERATOR])
def test_staff_of_all_deployments_see_all(role: str) -> None:
    assert visible_to(staff(role=role, all_deployments=True), Deployment.objects.all()).count() == 0
    DeploymentFactory.create_batch(2)
    assert visible_to(staff(role=role, all_deployments=True), Deployment.objects.all()).count() == 2


@pytest.mark.parametrize("number", [0, 1])
def test_staff_without_access_see_and_may_do_nothing(number: int) -> None:
    """Permissions that Django's own pages could have given count for nothing."""
    UserFactory.create()
    nobody = Staff.objects.create_user("nobody", is_staff=True)
    nobody.user_permissions.set(Permission.objects.all() if number else [])
    assert not visible_to(nobody, User.objects.all())
    assert not nobody.has_perm("accounts.view_user")
    assert not nobody.has_module_perms("accounts")


@pytest.mark.parametrize("lacking", ["is_staff", "is_active"])
@pytest.mark.parametrize("is_superuser", [False, True])
def test_a_former_member_of_staff_sees_nothing(lacking: str, is_superuser: bool) -> None:
    UserFactory.create()
    former = staff(all_deployments=True)
    former.is_superuser = is_superuser
    setattr(former, lacking, False)
    assert not visible_to(former, User.objects.all())
    assert permissions_of(former) == set()


def test_a_request_without_a_user_sees_nothing() -> None:
    UserFactory.create()
    assert not visible_to(AnonymousUser(), User.objects.all())


@pytest.mark.parametrize("everywhere", [False, True])
def test_support_reads_and_writes_nothing(everywhere: bool) -> None:
    permissions = permissions_of(staff(DeploymentFactory.create(), role=SUPPORT, all_deployments=everywhere))
    assert "accounts.view_user" in permissions
    assert {name for name in permissions if ".view_" not in name} == set()


def test_operators_of_a_deployment_manage_neither_deployments_nor_staff() -> None:
    permissions = permissions_of(staff(DeploymentFactory.create()))
    assert {"accounts.view_deployment", "accounts.change_deployment", "accounts.delete_user"} <= permissions
    assert not {name for name in permissions if name.endswith(("staffaccess", "auth.change_user"))}
    assert not {"accounts.add_deployment", "accounts.delete_deployment"} & permissions


def test_operators_of_all_deployments_make_deployments_and_manage_staff() -> None:
    permissions = permissions_of(staff(all_deployments=True))
    assert {"accounts.add_deployment", "staff.change_staffaccess", "auth.add_user"} <= permissions


@pytest.mark.parametrize(
    ("role", "told", "sees"), [(SUPPORT, False, False), (SUPPORT, True, True), (OPERATOR, False, True)]
)
def test_support_sees_private_metadata_only_if_its_rights_say_so(role: str, told: bool, sees: bool) -> None:
    member = staff(DeploymentFactory.create(), role=role, sees_private_metadata=told)
    assert member.has_perm(PRIVATE_METADATA) is sees


def test_a_permission_of_an_object_ends_at_the_deployment() -> None:
    own, other = new_branch(), new_branch()
    member = staff(own.deployment)
    assert member.has_perm("organizations.change_workspace", own.workspace)
    assert not member.has_perm("organizations.change_workspace", other.workspace)


def test_access_is_read_once(django_assert_num_queries: Any) -> None:
    member = staff(DeploymentFactory.create(), DeploymentFactory.create())
    with django_assert_num_queries(1):
        assert len(access_of(member).deployments or ()) == 2
        visible_to(member, WorkspaceMembership.objects.all())
        visible_to(member, ActiveMembership.objects.all())
        assert member.has_perm("accounts.view_user")


def test_a_role_that_is_none_is_refused() -> None:
    with pytest.raises(IntegrityError):
        staff(role="king")
