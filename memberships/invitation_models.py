"""The invitations to organizations."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower

from accounts.models import Deployment, Invitation
from audit.triggers import audited
from database.constraints import ForeignKeyConstraint, goes_with
from database.fields import OfParent
from database.triggers import immutable, must_match, touch
from organizations.models import Organization, OrganizationRole, Workspace, WorkspaceRole


class OrganizationInvitation(OfParent, Invitation):
    """An address that is invited to an organization and, if one is named, to a workspace of it.

    The roles are given to whoever accepts, if the inviter could still give them then (``memberships.invitations``).
    """

    deployment_path = "deployment"
    parent, copied = "organization", "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="+", editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    role = models.ForeignKey(
        OrganizationRole, models.SET_NULL, null=True, blank=True, db_constraint=False, related_name="+"
    )
    workspace = models.ForeignKey(Workspace, models.CASCADE, null=True, blank=True, related_name="invitations")
    workspace_role = models.ForeignKey(
        WorkspaceRole, models.SET_NULL, null=True, blank=True, db_constraint=False, related_name="+"
    )
    inviter = models.ForeignKey(
        "memberships.OrganizationMembership",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        db_constraint=False,
        related_name="sent_invitations",
    )
    is_by_staff = models.BooleanField(default=False, db_default=False, editable=False)
    discarded_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "invitation"
        constraints = [
            *Invitation.Meta.constraints,
            models.UniqueConstraint(
                "organization",
                "workspace",
                Lower("email"),
                condition=models.Q(accepted_at__isnull=True, discarded_at__isnull=True),
                nulls_distinct=False,
                name="memberships_invitation_one_is_open",
                violation_error_message="This address has an open invitation: send that one again, or discard it.",
            ),
            ForeignKeyConstraint(
                name="memberships_invitation_organization_is_of_deployment",
                fields=["organization", "deployment"],
                to="organizations.Organization",
                to_fields=["id", "deployment"],
                on_delete="CASCADE",
                violation_error_message="The organization belongs to another deployment.",
            ),
            ForeignKeyConstraint(
                name="memberships_invitation_workspace_is_of_organization",
                fields=["workspace", "organization"],
                to="organizations.Workspace",
                to_fields=["id", "organization"],
                on_delete="CASCADE",
                violation_error_message="The workspace belongs to another organization.",
            ),
            *(
                ForeignKeyConstraint(
                    name=f"memberships_invitation_{field}_is_of_deployment",
                    fields=[field, "deployment"],
                    to=to,
                    to_fields=["id", "deployment"],
                    on_delete="SET NULL",
                    violation_error_message="The role belongs to another deployment.",
                )
                for field, to in (
                    ("role", "organizations.OrganizationRole"),
                    ("workspace_role", "organizations.WorkspaceRole"),
                )
            ),
            goes_with(
                "inviter",
                "memberships.OrganizationMembership",
                name="memberships_invitation_inviter_is_a_member",
                on_delete="SET NULL",
            ),
            models.CheckConstraint(
                name="memberships_invitation_role_has_its_workspace",
                condition=models.Q(workspace_role__isnull=True) | models.Q(workspace__isnull=False),
                violation_error_message="A role in a workspace takes a workspace.",
            ),
            models.CheckConstraint(
                name="memberships_invitation_is_by_a_member_or_staff",
                condition=models.Q(inviter__isnull=True) | models.Q(is_by_staff=False),
            ),
            models.CheckConstraint(
                name="memberships_invitation_ends_once",
                condition=models.Q(accepted_at__isnull=True) | models.Q(discarded_at__isnull=True),
            ),
        ]
        triggers = [
            touch(),
            immutable("deployment", "organization", "workspace", "email"),
            must_match(
                "invitation_fits",
                """
                SELECT 1
                WHERE (NEW.role_id IS NULL OR EXISTS (
                    SELECT 1 FROM organizations_organizationrole role
                    WHERE role.id = NEW.role_id
                        AND coalesce(role.organization_id, NEW.organization_id) = NEW.organization_id
                )) AND (NEW.workspace_role_id IS NULL OR EXISTS (
                    SELECT 1 FROM organizations_workspacerole role
                    WHERE role.id = NEW.workspace_role_id
                        AND coalesce(role.organization_id, NEW.organization_id) = NEW.organization_id
                        AND coalesce(role.workspace_id, NEW.workspace_id) = NEW.workspace_id
                )) AND (NEW.inviter_id IS NULL OR EXISTS (
                    SELECT 1 FROM memberships_organizationmembership inviter
                    WHERE inviter.id = NEW.inviter_id AND inviter.organization_id = NEW.organization_id
                ))
                """,
                "the roles and the inviter must be of the same organization or workspace",
            ),
            *audited(naming=["email"], secret=["token_hash"], final=["accepted_at", "discarded_at"]),
        ]
