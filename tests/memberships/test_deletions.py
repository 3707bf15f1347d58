"""With a membership, user or place go all rows that hang on it, and no others."""

from __future__ import annotations

from datetime import date, timedelta

from django.apps import apps
from django.db import models
from django.utils import timezone

from accounts.models import CountedUser, FailureCount, MailedCode, SpentToken
from accounts.values.mail_texts import Template
from audit.models import AuditEntry
from memberships.last_admin import let_go
from memberships.models import ActiveMembership, EndedMembership, OrganizationInvitation
from organizations.models import OrganizationDomain, OrganizationSegment, UserSegment, WorkspaceSegment
from staff.models import StaffAccess, StaffAuthenticator, StaffBackupCodes
from tests.support.cases import each
from tests.support.database import execute
from tests.support.factories import (
    Branch,
    OrganizationRoleFactory,
    SegmentFactory,
    WorkspaceRoleFactory,
    World,
    backup_code,
    confirmed_authenticator,
    join,
    join_organization,
    new_branch,
    session_of,
    staff,
)


def fill(branch: Branch) -> None:
    """Add a row of every model of the project, hanging on all that it can hang on of ``branch``."""
    deployment, organization, workspace, user = branch.deployment, branch.organization, branch.workspace, branch.user
    deployment.aliases.create(host=f"alias{user.pk}.example.com")
    deployment.mail_texts.get_or_create(template=Template.VERIFY_ADDRESS, subject="Your code", text="{code}")
    deployment.mails.create(
        to=user.email, template=Template.VERIFY_ADDRESS, content=b"{}", good_until=timezone.now() + timedelta(hours=1)
    )
    staff(deployment)
    session = session_of(user)
    session.sign_in_attempts.create(
        deployment=deployment, user=user, method="plain_email", expires_at=session.expires_at
    )
    session.sign_up_attempts.create(deployment=deployment, email="new@example.com", expires_at=session.expires_at)
    deployment.sign_up_invitations.get_or_create(
        email="new@example.com", defaults={"token_hash": str(user.pk), "expires_at": session.expires_at}
    )
    confirmed_authenticator(user)
    backup_code(user)
    CountedUser.objects.create(user=user, day=date(2026, 11, 26), kind="active_users")
    role = OrganizationRoleFactory.create(
        deployment=deployment, organization=organization, permissions=["organization:admin"]
    )
    organization_membership = join_organization(user, organization, role)
    OrganizationDomain.objects.get_or_create(organization=organization, fqdn="firm.example.com")
    EndedMembership.objects.get_or_create(organization=organization, user=user)
    role_ = WorkspaceRoleFactory.create(deployment=deployment, organization=organization, workspace=workspace)
    workspace_membership = join(user, workspace, role_)
    ActiveMembership.objects.create(
        sign_in=session.sign_ins.get(),
        user=user,
        organization_membership=organization_membership,
        workspace_membership=workspace_membership,
    )
    organization.invitations.create(
        email=f"new{user.pk}@example.com",
        token_hash=str(user.pk),
        expires_at=session.expires_at,
        inviter=organization_membership,
        role=role,
        workspace=workspace,
        workspace_role=role_,
    )
    organization.auto_assigned_workspace = workspace
    organization.save()
    UserSegment.objects.create(user=user, segment=SegmentFactory.create(deployment=deployment, type="user"))
    OrganizationSegment.objects.create(
        organization=organization, segment=SegmentFactory.create(deployment=deployment, type="organization")
    )
    WorkspaceSegment.objects.create(
        workspace=workspace, segment=SegmentFactory.create(deployment=deployment, type="workspace")
    )


def row_counts(*app_labels: str) -> dict[type[models.Model], int]:
    """The number of rows of every model of those apps, but for what belongs to no deployment or outlives it."""
    found = (model for app in app_labels for model in apps.get_app_config(app).get_models())
    counted = (model for model in found if model not in OF_NO_DEPLOYMENT and not model._meta.proxy)
    return {model: model._base_manager.count() for model in counted}


OF_NO_DEPLOYMENT = {AuditEntry, FailureCount, MailedCode, SpentToken, StaffAccess, StaffAuthenticator, StaffBackupCodes}


def test_with_an_organization_membership_its_roles_and_workspaces_end(world: World) -> None:
    own = world.own
    fill(Branch(own.deployment, own.organization, own.workspace, world.sibling.user))
    before = row_counts("memberships")
    assert min(before.values()) > 0
    fill(own)
    let_go()
    execute(
        "DELETE FROM memberships_organizationmembership WHERE organization_id = %s AND user_id = %s",
        [own.organization.pk, own.user.pk],
    )
    left = row_counts("memberships")
    left_alone = (ActiveMembership, EndedMembership, OrganizationInvitation)
    assert left == before | {model: before[model] + 1 for model in left_alone}
    assert OrganizationInvitation.objects.filter(inviter=None).count() == 1
    active = ActiveMembership.objects.get(user=own.user)
    assert (active.organization_membership, active.workspace_membership) == (None, None)
    assert own.workspace.memberships.get().user == world.sibling.user


@each("kind", ["user", "workspace", "organization", "deployment"])
def test_deleting_leaves_nothing_behind_and_takes_nothing_else(world: World, kind: str) -> None:
    let_go()
    fill(world.foreign)
    before = row_counts("accounts", "organizations", "memberships")
    assert min(before.values()) > 0
    branch = new_branch()
    fill(branch)
    gone: models.Model = getattr(branch, kind)
    pk = gone.pk
    gone.delete()
    left_behind = [
        f"{model._meta.label}.{field.name}"
        for model in before
        for field in model._meta.concrete_fields
        if field.related_model is type(gone) and model._base_manager.filter(**{field.attname: pk}).exists()
    ]
    assert left_behind == []
    if kind != "deployment":
        branch.deployment.delete()
    assert row_counts("accounts", "organizations", "memberships") == before
