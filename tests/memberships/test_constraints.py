"""The database's refusals for memberships and their roles, the messages of forms, and cascades."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.forms import modelform_factory
from django.utils import timezone

from accounts.models import CountedUser, FailureCount, MailedCode, SpentToken
from accounts.values.mail_texts import Template
from audit.models import AuditEntry
from memberships.last_admin import let_go
from memberships.models import (
    ActiveMembership,
    EndedMembership,
    OrganizationInvitation,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import OrganizationDomain, OrganizationSegment, UserSegment, WorkspaceSegment
from staff.models import StaffAccess, StaffAuthenticator, StaffBackupCodes
from tests.support.cases import each
from tests.support.database import Insert, Update, each_insert, each_update, execute, refused
from tests.support.factories import (
    Branch,
    OrganizationRoleFactory,
    SegmentFactory,
    WorkspaceFactory,
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

Row = dict[str, Any]


ORGANIZATION_MEMBERSHIP = {"deployment": "own.deployment", "organization": "own.organization", "user": "own.user"}
WORKSPACE_MEMBERSHIP = {"organization": "own.organization", "workspace": "own.workspace", "user": "own.user"}


@each_insert
@pytest.mark.parametrize("user", ["own.user", "sibling.user"])
def test_each_user_of_the_deployment_may_join_the_organization(world: World, insert: Insert, user: str) -> None:
    insert(OrganizationMembership, world.columns(ORGANIZATION_MEMBERSHIP | {"user": user}))
    assert world.own.organization.memberships.count() == 1


@each_insert
@each(
    ("row", "constraint"),
    [
        ({"user": "foreign.user"}, "memberships_orgmembership_user_is_of_deployment"),
        ({"organization": "foreign.organization"}, "memberships_orgmembership_organization_is_of_deployment"),
        (
            {"organization": "foreign.organization", "user": "foreign.user"},
            "memberships_orgmembership_organization_is_of_deployment",
        ),
        (
            {"deployment": "foreign.deployment", "user": "foreign.user"},
            "memberships_orgmembership_organization_is_of_deployment",
        ),
        (
            {"deployment": "foreign.deployment", "organization": "foreign.organization"},
            "memberships_orgmembership_user_is_of_deployment",
        ),
    ],
)
def test_an_organization_membership_stays_within_one_deployment(
    world: World, insert: Insert, row: Row, constraint: str
) -> None:
    with refused(constraint):
        insert(OrganizationMembership, world.columns(ORGANIZATION_MEMBERSHIP | row))


@each_insert
def test_a_member_of_the_organization_may_join_its_workspace(world: World, insert: Insert) -> None:
    join_organization(world.own.user, world.own.organization)
    insert(WorkspaceMembership, world.columns(WORKSPACE_MEMBERSHIP))
    assert world.own.workspace.memberships.count() == 1


@each_insert
@each(
    ("row", "constraint"),
    [
        # The user is a member of their own organization only.
        ({"user": "sibling.user"}, "memberships_wsmembership_user_is_in_organization"),
        ({"user": "foreign.user"}, "memberships_wsmembership_user_is_in_organization"),
        (
            {"organization": "sibling.organization", "workspace": "sibling.workspace"},
            "memberships_wsmembership_user_is_in_organization",
        ),
        ({"workspace": "sibling.workspace"}, "memberships_wsmembership_organization_is_the_workspaces"),
        ({"workspace": "foreign.workspace"}, "memberships_wsmembership_organization_is_the_workspaces"),
    ],
)
def test_a_workspace_takes_members_of_its_own_organization_only(
    world: World, insert: Insert, row: Row, constraint: str
) -> None:
    join_organization(world.own.user, world.own.organization)
    with refused(constraint):
        insert(WorkspaceMembership, world.columns(WORKSPACE_MEMBERSHIP | row))


@each_insert
def test_a_user_joins_an_organization_once(world: World, insert: Insert) -> None:
    row = world.columns(ORGANIZATION_MEMBERSHIP)
    with refused("memberships_orgmembership_once"):
        insert(OrganizationMembership, row, row)


@each_insert
def test_a_user_joins_a_workspace_once(world: World, insert: Insert) -> None:
    join_organization(world.own.user, world.own.organization)
    row = world.columns(WORKSPACE_MEMBERSHIP)
    with refused("memberships_wsmembership_once"):
        insert(WorkspaceMembership, row, row)


def test_a_membership_made_in_bulk_without_its_derived_column_is_refused(world: World) -> None:
    own, other = world.own, world.sibling.user
    join_organization(other, own.organization)
    with pytest.raises(IntegrityError, match='null value in column "deployment_id"'), transaction.atomic():
        OrganizationMembership.objects.bulk_create(
            [OrganizationMembership(organization=own.organization, user=own.user)]
        )
    with pytest.raises(IntegrityError, match='null value in column "organization_id"'), transaction.atomic():
        WorkspaceMembership.objects.bulk_create([WorkspaceMembership(workspace=own.workspace, user=other)])


@each_update
@pytest.mark.parametrize("change", [{"organization": "sibling.organization"}, {"user": "sibling.user"}])
def test_an_organization_membership_keeps_its_organization_and_user(world: World, update: Update, change: Row) -> None:
    membership = join_organization(world.own.user, world.own.organization)
    with refused("immutable"):
        update(membership, **world.columns(change))


@each_update
def test_an_organization_membership_cannot_move_to_another_deployment(world: World, update: Update) -> None:
    membership = join_organization(world.own.user, world.own.organization)
    with refused("immutable"):
        update(
            membership,
            **world.columns(
                {
                    "deployment": "foreign.deployment",
                    "organization": "foreign.organization",
                    "user": "foreign.user",
                }
            ),
        )


@each_update
@each("field", ["workspace", "user", "organization"])
def test_a_workspace_membership_keeps_its_workspace_and_user(world: World, update: Update, field: str) -> None:
    # All that it could move to is open to it: only its own identity stands in the way.
    membership = join(world.own.user, world.own.workspace)
    join_organization(world.sibling.user, world.own.organization)
    join_organization(world.own.user, world.sibling.organization)
    changes: dict[str, Row] = {
        "workspace": {"workspace_id": WorkspaceFactory.create(organization=world.own.organization).pk},
        "user": {"user_id": world.sibling.user.pk},
        "organization": world.columns({"organization": "sibling.organization", "workspace": "sibling.workspace"}),
    }
    with refused("immutable"):
        update(membership, **changes[field])


@each_update
@each("kind", ["organization", "workspace"])
@each("value", [[], "text", 1])
def test_the_metadata_of_a_membership_is_a_json_object(world: World, update: Update, kind: str, value: Any) -> None:
    membership = join(world.own.user, world.own.workspace)
    row = membership if kind == "workspace" else OrganizationMembership.objects.get()
    with refused(f"memberships_{kind}membership_public_metadata_is_object"):
        update(row, public_metadata=value)
    update(row, public_metadata={"seat": 1})
    row.refresh_from_db()
    assert row.public_metadata == {"seat": 1}


ROLE = {"deployment": "own.deployment"}
ORGANIZATION_SCOPES = [
    pytest.param(ROLE, id="own deployment"),
    pytest.param(ROLE | {"organization": "own.organization"}, id="own organization"),
]
OTHER_ORGANIZATION_SCOPES = [
    pytest.param({"deployment": "foreign.deployment"}, id="other deployment"),
    pytest.param({"deployment": "foreign.deployment", "organization": "foreign.organization"}, id="foreign"),
    pytest.param(ROLE | {"organization": "sibling.organization"}, id="other organization"),
]
WORKSPACE_SCOPES = [
    *ORGANIZATION_SCOPES,
    pytest.param(ROLE | {"organization": "own.organization", "workspace": "own.workspace"}, id="own workspace"),
]


@each_insert
@pytest.mark.parametrize("scope", ORGANIZATION_SCOPES)
def test_a_member_may_hold_a_role_of_the_organization_or_deployment(world: World, insert: Insert, scope: Row) -> None:
    membership = join_organization(world.own.user, world.own.organization)
    role = OrganizationRoleFactory.create(**world.columns(scope))
    insert(OrganizationMembershipRole, {"membership_id": membership.pk, "role_id": role.pk})
    assert membership.roles.get() == role


@each_insert
@pytest.mark.parametrize("scope", OTHER_ORGANIZATION_SCOPES)
def test_a_member_of_an_organization_holds_no_role_of_elsewhere(world: World, insert: Insert, scope: Row) -> None:
    membership = join_organization(world.own.user, world.own.organization)
    role = OrganizationRoleFactory.create(**world.columns(scope))
    with refused("role_fits"):
        insert(OrganizationMembershipRole, {"membership_id": membership.pk, "role_id": role.pk})


@each_insert
@pytest.mark.parametrize("scope", WORKSPACE_SCOPES)
def test_a_member_may_hold_a_role_of_the_workspace_organization_or_deployment(
    world: World, insert: Insert, scope: Row
) -> None:
    membership = join(world.own.user, world.own.workspace)
    role = WorkspaceRoleFactory.create(**world.columns(scope))
    insert(WorkspaceMembershipRole, {"membership_id": membership.pk, "role_id": role.pk})
    assert membership.roles.get() == role


@each_insert
@pytest.mark.parametrize(
    "scope",
    [
        *OTHER_ORGANIZATION_SCOPES,
        pytest.param(
            ROLE | {"organization": "sibling.organization", "workspace": "sibling.workspace"},
            id="workspace of another organization",
        ),
    ],
)
def test_a_member_of_a_workspace_holds_no_role_of_elsewhere(world: World, insert: Insert, scope: Row) -> None:
    membership = join(world.own.user, world.own.workspace)
    role = WorkspaceRoleFactory.create(**world.columns(scope))
    with refused("role_fits"):
        insert(WorkspaceMembershipRole, {"membership_id": membership.pk, "role_id": role.pk})


@each_insert
def test_a_member_holds_no_role_of_another_workspace_of_the_organization(world: World, insert: Insert) -> None:
    membership = join(world.own.user, world.own.workspace)
    other = WorkspaceFactory.create(organization=world.own.organization)
    role = WorkspaceRoleFactory.create(
        deployment=world.own.deployment, organization=world.own.organization, workspace=other
    )
    with refused("role_fits"):
        insert(WorkspaceMembershipRole, {"membership_id": membership.pk, "role_id": role.pk})


@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_form_refuses_a_role_of_elsewhere_before_the_database_does(world: World, kind: str) -> None:
    given, fit, foreign = _given_role(world, kind)
    given.role_id = fit  # type: ignore[attr-defined]  # either model has it
    given.full_clean()
    given = type(given)._base_manager.get(pk=given.pk)
    given.role_id = foreign  # type: ignore[attr-defined]  # either model has it
    with pytest.raises(ValidationError):
        given.full_clean()


@each_update
@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_given_role_is_not_changed_into_one_of_elsewhere(world: World, update: Update, kind: str) -> None:
    given, fit, foreign = _given_role(world, kind)
    update(given, role_id=fit)
    with refused("role_fits"):
        update(given, role_id=foreign)


def _given_role(world: World, kind: str) -> tuple[models.Model, int, int]:
    """A role that a member holds in their organization or workspace; the ids of another that fits and a foreign one."""
    own, foreign = world.own.deployment, world.foreign.deployment
    membership = join(world.own.user, world.own.workspace)
    if kind == "workspace":
        held, fit, unfit = (WorkspaceRoleFactory.create(deployment=each) for each in (own, own, foreign))
        return WorkspaceMembershipRole.objects.create(membership=membership, role=held), fit.pk, unfit.pk
    held_, fit_, unfit_ = (OrganizationRoleFactory.create(deployment=each) for each in (own, own, foreign))
    in_organization = OrganizationMembership.objects.get()
    return OrganizationMembershipRole.objects.create(membership=in_organization, role=held_), fit_.pk, unfit_.pk


@each_update
@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_given_role_is_not_moved_to_a_member_of_elsewhere(world: World, update: Update, kind: str) -> None:
    given, _, _ = _given_role(world, kind)
    foreign = join(world.foreign.user, world.foreign.workspace)
    membership = foreign if kind == "workspace" else world.foreign.organization.memberships.get()
    with refused("role_fits"):
        update(given, membership_id=membership.pk)


@each_insert
@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_role_is_given_once(world: World, insert: Insert, kind: str) -> None:
    given, _, _ = _given_role(world, kind)
    row = {column: getattr(given, column) for column in ("membership_id", "role_id")}
    with refused(f"memberships_{kind}role_once"):
        insert(type(given), row)


@each_insert
@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_role_is_given_to_a_member_who_exists(world: World, insert: Insert, kind: str) -> None:
    given, fit, _ = _given_role(world, kind)
    with refused("role_fits"):
        insert(type(given), {"membership_id": 0, "role_id": fit})


def test_a_saved_membership_derives_its_repeated_columns(world: World) -> None:
    in_organization = OrganizationMembership.objects.create(organization=world.own.organization, user=world.own.user)
    assert in_organization.deployment_id == world.own.deployment.pk
    in_workspace = WorkspaceMembership.objects.create(workspace=world.own.workspace, user=world.own.user)
    assert in_workspace.organization_id == world.own.organization.pk


@each(
    ("model", "row", "error"),
    [
        (
            OrganizationMembership,
            {"organization": "own.organization", "user": "foreign.user"},
            "The user belongs to another deployment than the organization.",
        ),
        (
            WorkspaceMembership,
            {"workspace": "sibling.workspace", "user": "own.user"},
            "The user is no member of the workspace's organization.",
        ),
        (
            WorkspaceMembership,
            {"workspace": "foreign.workspace", "user": "own.user"},
            "The user is no member of the workspace's organization.",
        ),
    ],
)
def test_a_form_says_why_a_user_cannot_join(world: World, model: type[models.Model], row: Row, error: str) -> None:
    join_organization(world.own.user, world.own.organization)
    columns = world.columns(row)
    form = modelform_factory(model, fields=list(row))({name: columns[f"{name}_id"] for name in row})
    assert error in form.errors["__all__"]
    with pytest.raises(ValidationError) as caught:
        model(**columns).full_clean()
    assert error in caught.value.message_dict["__all__"]


def test_a_form_makes_a_membership(world: World) -> None:
    for model, place in ((OrganizationMembership, "organization"), (WorkspaceMembership, "workspace")):
        form = modelform_factory(model, fields=[place, "user"])(
            {place: getattr(world.own, place).pk, "user": world.own.user.pk}
        )
        assert form.errors == {}
        form.save()
    assert world.own.workspace.memberships.get().user == world.own.user


@each("missing", ["organization", "workspace", "user"])
def test_a_form_asks_for_missing_fields(world: World, missing: str) -> None:
    model = OrganizationMembership if missing == "organization" else WorkspaceMembership
    fields = ["organization" if missing == "organization" else "workspace", "user"]
    data = {name: getattr(world.own, name).pk for name in fields if name != missing}
    form = modelform_factory(model, fields=fields)(data)
    assert form.errors == {missing: ["This field is required."]}


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
