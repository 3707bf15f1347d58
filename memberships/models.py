"""The memberships of users in organizations and workspaces, and their roles."""

from __future__ import annotations

from typing import Literal

import pgtrigger
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Deployment, EmailAddress, SignIn, User
from audit.triggers import audited, restored_by_undo
from database.constraints import ForeignKeyConstraint, goes_with
from database.fields import MetadataField, OfParent, TimeStamped, is_json_object
from database.triggers import count_rows_in, immutable, invalidates, must_match, touch
from memberships.domain_triggers import joins_by_address, joins_by_domain, leaves_a_mark
from memberships.invitation_models import OrganizationInvitation as OrganizationInvitation
from memberships.triggers import (
    counts_new_members,
    joins_auto_assigned_workspace,
    keeps_an_administrator,
    lists_by_links,
    lists_by_roles,
    lists_by_users,
)
from organizations.models import (
    Organization,
    OrganizationDomain,
    OrganizationRole,
    Workspace,
    WorkspaceRole,
    deployment_of_organization,
)


class Membership(OfParent, TimeStamped):
    """The membership of a user in its ``parent``, which is an organization or a workspace."""

    public_metadata = MetadataField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.user} in {getattr(self, self.parent)}"  # type: ignore[attr-defined]  # the subclass has it


class OrganizationMembership(Membership):
    """The membership of a user in an organization of the same deployment."""

    deployment_path = "deployment"
    parent, copied = "organization", "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="+", editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, db_index=False, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="organization_memberships")
    roles = models.ManyToManyField(OrganizationRole, through="OrganizationMembershipRole", related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="memberships_orgmembership_once"),
            models.UniqueConstraint(fields=["id", "user"], name="memberships_orgmembership_with_user"),
            ForeignKeyConstraint(
                name="memberships_orgmembership_organization_is_of_deployment",
                fields=["organization", "deployment"],
                to="organizations.Organization",
                to_fields=["id", "deployment"],
                violation_error_message="The organization belongs to another deployment.",
            ),
            ForeignKeyConstraint(
                name="memberships_orgmembership_user_is_of_deployment",
                fields=["user", "deployment"],
                to="accounts.User",
                to_fields=["id", "deployment"],
                violation_error_message="The user belongs to another deployment than the organization.",
            ),
            *is_json_object("public_metadata"),
        ]
        indexes = [
            models.Index(fields=["user", "created_at", "id"], name="memberships_org_by_user"),
            models.Index(fields=["organization", "created_at", "id"], name="memberships_org_members"),
        ]
        triggers = [
            touch(),
            immutable("deployment", "organization", "user"),
            *count_rows_in("organizations_organization", "organization_id"),
            *audited(),
            *invalidates("user", "user_id", deployment="changed.deployment_id"),
            *joins_auto_assigned_workspace(),
            *leaves_a_mark(),
            *restored_by_undo(counts_new_members()),
        ]


class WorkspaceMembership(Membership):
    """The membership of a user in a workspace; it ends with the membership in the workspace's organization."""

    deployment_path = "organization__deployment"
    parent, copied = "workspace", "organization"

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, db_index=False, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="workspace_memberships")
    roles = models.ManyToManyField(WorkspaceRole, through="WorkspaceMembershipRole", related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="memberships_wsmembership_once"),
            models.UniqueConstraint(fields=["id", "user"], name="memberships_wsmembership_with_user"),
            ForeignKeyConstraint(
                name="memberships_wsmembership_organization_is_the_workspaces",
                fields=["workspace", "organization"],
                to="organizations.Workspace",
                to_fields=["id", "organization"],
                violation_error_message="The workspace belongs to another organization.",
            ),
            ForeignKeyConstraint(
                name="memberships_wsmembership_user_is_in_organization",
                fields=["organization", "user"],
                to="memberships.OrganizationMembership",
                to_fields=["organization", "user"],
                on_delete="CASCADE",
                violation_error_message="The user is no member of the workspace's organization.",
            ),
            *is_json_object("public_metadata"),
        ]
        indexes = [
            models.Index(fields=["user", "created_at", "id"], name="memberships_workspace_by_user"),
            models.Index(fields=["workspace", "created_at", "id"], name="memberships_workspace_members"),
        ]
        triggers = [
            touch(),
            immutable("organization", "workspace", "user"),
            *count_rows_in("organizations_workspace", "workspace_id"),
            *audited(),
            *invalidates("user", "user_id", deployment=deployment_of_organization("changed")),
        ]


def _invalidates_the_member(table: str, *, deployment: str) -> list[pgtrigger.Trigger]:
    """A role that goes with its membership needs no log row: the membership's own trigger writes one."""
    joining = f"JOIN {table} member ON member.id = changed.membership_id"
    return invalidates("user", "member.user_id", joining=joining, deployment=deployment)


def _given_once(level: Literal["organization", "workspace"]) -> list[models.BaseConstraint]:
    return [
        models.UniqueConstraint(fields=["membership", "role"], name=f"memberships_{level}role_once"),
        goes_with(
            "membership",
            f"memberships.{level.capitalize()}Membership",
            name=f"memberships_{level}role_goes_with_membership",
        ),
    ]


class GivenRole(models.Model):
    """A role given to a member; it goes with the membership."""

    deployment_path = "role__deployment"

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.role)  # type: ignore[attr-defined]  # the subclass has it

    def clean(self) -> None:
        """The rule of the trigger ``role_fits``."""
        try:
            role, membership = self.role, self.membership  # type: ignore[attr-defined]  # the subclass has it
            place = getattr(membership, "workspace", None) or membership.organization
        except ObjectDoesNotExist:  # one of them is still to be chosen, which another error says
            return
        organization_id = getattr(place, "organization_id", place.pk)
        member_of = {"deployment": place.deployment_id, "organization": organization_id, "workspace": place.pk}
        for level, id_ in member_of.items():
            if getattr(role, f"{level}_id", None) not in (None, id_):
                raise ValidationError(
                    _("“%(role)s” is a role of “%(owner)s” and cannot be given here."),
                    params={"role": role, "owner": getattr(role, level)},
                )


class OrganizationMembershipRole(GivenRole):
    """A role given to a member of an organization."""

    membership = models.ForeignKey(
        OrganizationMembership, models.CASCADE, db_constraint=False, related_name="given_roles"
    )
    role = models.ForeignKey(OrganizationRole, models.CASCADE, related_name="given_roles")

    class Meta:
        constraints = _given_once("organization")
        triggers = [
            must_match(
                "role_fits",
                """
                SELECT 1 FROM memberships_organizationmembership membership
                JOIN organizations_organizationrole role ON role.deployment_id = membership.deployment_id
                    AND coalesce(role.organization_id, membership.organization_id) = membership.organization_id
                WHERE membership.id = NEW.membership_id AND role.id = NEW.role_id
                """,
                "the role must be one of this organization or of its deployment",
            ),
            *audited(),
            *_invalidates_the_member("memberships_organizationmembership", deployment="member.deployment_id"),
            *lists_by_links(),
        ]


class Administrator(models.Model):
    """An enabled member with a role that holds ``organization:admin``: triggers keep the list, nobody else writes it.

    With it, whether an organization has an administrator is one look-up, however many members it has.
    """

    deployment_path = "organization__deployment"

    membership = models.OneToOneField(
        OrganizationMembership,
        models.DO_NOTHING,
        primary_key=True,
        db_constraint=False,
        related_name="administrator",
    )
    organization = models.ForeignKey(
        Organization, models.DO_NOTHING, db_constraint=False, related_name="administrators"
    )

    class Meta:
        default_permissions = ()
        constraints = [
            goes_with(
                "membership",
                "memberships.OrganizationMembership",
                name="memberships_administrator_goes_with_membership",
            ),
        ]
        triggers = keeps_an_administrator()

    def __str__(self) -> str:
        return f"administrator by membership {self.membership_id}"


class AdministeringRole(OrganizationRole):
    """A role of an organization, for the trigger that follows changes of its permissions."""

    class Meta:
        proxy = True
        default_permissions = ()
        triggers = [lists_by_roles()]


class AdministeringUser(User):
    """A user, for the trigger that follows the disabling of administrators."""

    class Meta:
        proxy = True
        default_permissions = ()
        triggers = [lists_by_users()]


class EndedMembership(models.Model):
    """The user was a member of the organization once and was removed, or left: no domain makes them one again.

    A trigger writes it. Whoever joins otherwise is a member like any other.
    """

    deployment_path = "organization__deployment"

    organization = models.ForeignKey(
        Organization, models.DO_NOTHING, db_constraint=False, related_name="ended_memberships"
    )
    user = models.ForeignKey(User, models.DO_NOTHING, db_constraint=False, related_name="+")
    ended_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="memberships_ended_once"),
            goes_with("organization", "organizations.Organization", name="memberships_ended_goes_with_organization"),
            goes_with("user", "accounts.User", name="memberships_ended_goes_with_user"),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id} was in organization {self.organization_id}"


class JoiningAddress(EmailAddress):
    """An address, for the trigger that follows its verification."""

    class Meta:
        proxy = True
        default_permissions = ()
        triggers = joins_by_address()


class JoiningDomain(OrganizationDomain):
    """A domain, for the trigger that follows its verification."""

    class Meta:
        proxy = True
        default_permissions = ()
        triggers = joins_by_domain()


class WorkspaceMembershipRole(GivenRole):
    """A role given to a member of a workspace."""

    membership = models.ForeignKey(WorkspaceMembership, models.CASCADE, db_constraint=False, related_name="given_roles")
    role = models.ForeignKey(WorkspaceRole, models.CASCADE, related_name="given_roles")

    class Meta:
        constraints = _given_once("workspace")
        triggers = [
            must_match(
                "role_fits",
                """
                SELECT 1 FROM memberships_workspacemembership membership
                JOIN organizations_organization organization ON organization.id = membership.organization_id
                JOIN organizations_workspacerole role ON role.deployment_id = organization.deployment_id
                    AND coalesce(role.organization_id, membership.organization_id) = membership.organization_id
                    AND coalesce(role.workspace_id, membership.workspace_id) = membership.workspace_id
                WHERE membership.id = NEW.membership_id AND role.id = NEW.role_id
                """,
                "the role must be one of this workspace, its organization or its deployment",
            ),
            *audited(),
            *_invalidates_the_member(
                "memberships_workspacemembership", deployment=deployment_of_organization("member")
            ),
        ]


class ActiveMembership(TimeStamped):
    """The active organization and workspace of a sign-in. One that the user leaves is no longer active."""

    deployment_path = "user__deployment"

    sign_in = models.OneToOneField(SignIn, models.CASCADE, primary_key=True, related_name="active_membership")
    user = models.ForeignKey(User, models.CASCADE, related_name="active_memberships")
    organization_membership = models.ForeignKey(
        OrganizationMembership, models.SET_NULL, null=True, blank=True, db_constraint=False, related_name="+"
    )
    workspace_membership = models.ForeignKey(
        WorkspaceMembership, models.SET_NULL, null=True, blank=True, db_constraint=False, related_name="+"
    )

    class Meta:
        constraints = [
            ForeignKeyConstraint(
                name="memberships_active_sign_in_is_the_users",
                fields=["sign_in", "user"],
                to="accounts.SignIn",
                to_fields=["id", "user"],
                on_delete="CASCADE",
            ),
            ForeignKeyConstraint(
                name="memberships_active_organization_is_the_users",
                fields=["organization_membership", "user"],
                to="memberships.OrganizationMembership",
                to_fields=["id", "user"],
                on_delete="SET NULL",
            ),
            ForeignKeyConstraint(
                name="memberships_active_workspace_is_the_users",
                fields=["workspace_membership", "user"],
                to="memberships.WorkspaceMembership",
                to_fields=["id", "user"],
                on_delete="SET NULL",
            ),
        ]
        indexes = [models.Index(fields=["user", "-updated_at"], name="memberships_last_active")]
        triggers = [touch(), immutable("sign_in", "user")]

    def __str__(self) -> str:
        return f"active for sign-in {self.sign_in_id}"
