"""Organizations, their workspaces, the roles that can be held in them, and segments that group them."""

from __future__ import annotations

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Deployment, User
from accounts.values.names import ABNORMAL_DOMAIN, DomainField, IsNfc, ascii_domain
from audit.triggers import audited
from database.constraints import ForeignKeyConstraint
from database.fields import MetadataField, OfParent, TimeStamped, is_json_object, is_list_of_texts
from database.triggers import immutable, invalidates, must_match, own_member_count, touch
from database.words import words_index
from organizations.allow_lists import AllowListField, allow_list_is_valid

ORGANIZATION_ADMIN = "organization:admin"
ORGANIZATION_MEMBER = "organization:member"
WORKSPACE_ADMIN = "workspace:admin"
WORKSPACE_MEMBER = "workspace:member"


_DEPLOYMENT_OF_SEGMENT = "SELECT deployment_id FROM organizations_segment WHERE id = changed.segment_id"


def deployment_of_organization(row: str) -> str:
    """SQL for ``invalidates``: the deployment of the organization that ``row`` names."""
    return f"SELECT deployment_id FROM organizations_organization WHERE id = {row}.organization_id"


class Segment(TimeStamped):
    """A named group of users, organizations or workspaces of one deployment."""

    deployment_path = "deployment"

    class Type(models.TextChoices):
        USER = "user"
        ORGANIZATION = "organization"
        WORKSPACE = "workspace"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="segments")
    name = models.CharField(max_length=200)
    type = models.CharField(max_length=20, choices=Type)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["deployment", "type", "name"], name="organizations_segment_name_is_unique"),
            models.CheckConstraint(
                name="organizations_segment_type_is_known",
                condition=models.Q(type__in=["user", "organization", "workspace"]),
            ),
        ]
        indexes = [words_index("name", name="organizations_segment_words")]
        triggers = [
            touch(),
            immutable("deployment", "type"),
            *audited(naming=["name"]),
            *invalidates("contents", "deployment_id", inserts=False),
        ]

    def __str__(self) -> str:
        return self.name


class Place(TimeStamped):
    """The fields and rules that organizations and workspaces share."""

    name = models.CharField(max_length=200)
    image_url = models.URLField("image URL", max_length=2000, blank=True, db_default="")
    description = models.TextField(blank=True, db_default="")
    member_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="The database counts."
    )
    public_metadata = MetadataField()
    private_metadata = MetadataField()
    enable_ip_restriction = models.BooleanField("enable IP restriction", default=False, db_default=False)
    whitelisted_ips = AllowListField(verbose_name="whitelisted IPs")

    class Meta:
        abstract = True
        constraints = [*is_json_object("public_metadata", "private_metadata"), allow_list_is_valid()]

    def __str__(self) -> str:
        return self.name


class Organization(Place):
    """A customer of a deployment."""

    deployment_path = "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="organizations")
    enforce_mfa = models.BooleanField("enforce MFA", default=False, db_default=False)
    auto_assigned_workspace = models.ForeignKey("Workspace", models.SET_NULL, null=True, blank=True, related_name="+")
    segments = models.ManyToManyField(Segment, through="OrganizationSegment", related_name="organizations")

    class Meta:
        constraints = [
            *Place.Meta.constraints,
            models.UniqueConstraint(fields=["id", "deployment"], name="organizations_organization_with_deployment"),
            ForeignKeyConstraint(
                name="organizations_organization_auto_workspace_is_its_own",
                fields=["auto_assigned_workspace", "id"],
                to="organizations.Workspace",
                to_fields=["id", "organization"],
                on_delete="SET NULL",
                violation_error_message="The auto-assigned workspace must be one of this organization.",
            ),
        ]
        indexes = [words_index("name", name="organizations_org_words")]
        triggers = [
            touch(ignoring=["member_count"]),
            immutable("deployment"),
            *own_member_count(),
            *audited(naming=["name"]),
            *invalidates("organization", deployment="changed.deployment_id", inserts=False),
        ]


class OrganizationDomain(OfParent, TimeStamped):
    """A domain that an organization claims; once verified it is that organization's alone.

    The proof is a TXT record. Users with a verified address of a verified domain become members
    (``memberships.domain_triggers``).
    """

    deployment_path = "deployment"
    parent, copied = "organization", "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="+", editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="domains")
    fqdn = DomainField("domain", max_length=253, help_text="Addresses of subdomains do not count.")
    token = models.UUIDField(db_default=RandomUUID(), editable=False, help_text="What the TXT record proves it by.")
    verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    verification_attempts = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    last_attempt_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "domain"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "fqdn"],
                name="organizations_domain_once",
                violation_error_message="The organization has this domain already.",
            ),
            models.UniqueConstraint(
                fields=["deployment", "fqdn"],
                condition=models.Q(verified_at__isnull=False),
                name="organizations_domain_is_one_organizations",
                violation_error_message="This domain belongs to another organization.",
            ),
            models.CheckConstraint(
                name="organizations_domain_is_normal",
                condition=models.Q(IsNfc("fqdn"))
                & models.Q(fqdn__contains=".")
                & ~models.Q(fqdn__regex=ABNORMAL_DOMAIN),
                violation_error_message="It must be a domain such as example.com.",
            ),
            ForeignKeyConstraint(
                name="organizations_domain_is_of_deployment",
                fields=["organization", "deployment"],
                to="organizations.Organization",
                to_fields=["id", "deployment"],
                violation_error_message="The organization belongs to another deployment.",
            ),
        ]
        indexes = [words_index("fqdn", name="organizations_domain_words")]
        triggers = [
            touch(),
            immutable("deployment", "organization", "fqdn", "token"),
            *audited(naming=["fqdn"], ignoring=["last_attempt_at"]),
        ]

    def __str__(self) -> str:
        return self.fqdn

    @property
    def record_name(self) -> str:
        """The name in the DNS at which the TXT record must stand."""
        return f"_rollcall-challenge.{ascii_domain(self.fqdn)}"

    @property
    def record_data(self) -> str:
        """The text of the record."""
        return f"rollcall-verification={self.token}"


class Workspace(Place):
    """A place of work within an organization."""

    deployment_path = "organization__deployment"

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="workspaces")
    enforce_2fa = models.BooleanField("enforce 2FA", default=False, db_default=False)
    segments = models.ManyToManyField(Segment, through="WorkspaceSegment", related_name="workspaces")

    class Meta:
        constraints = [
            *Place.Meta.constraints,
            models.UniqueConstraint(fields=["id", "organization"], name="organizations_workspace_with_organization"),
        ]
        indexes = [words_index("name", name="organizations_workspace_words")]
        triggers = [
            touch(ignoring=["member_count"]),
            immutable("organization"),
            *own_member_count(),
            *audited(naming=["name"]),
            *invalidates("workspace", deployment=deployment_of_organization("changed"), inserts=False),
        ]

    @property
    def deployment_id(self) -> int:
        return self.organization.deployment_id


class Role(TimeStamped):
    """A named set of permissions. Without an organization (or workspace) it serves the whole deployment."""

    name = models.CharField(max_length=200)
    permissions = ArrayField(models.CharField(max_length=200), default=list, db_default=[], blank=True)

    class Meta:
        abstract = True
        constraints = [
            *is_list_of_texts("permissions"),
            ForeignKeyConstraint(
                name="%(app_label)s_%(class)s_is_of_deployment",
                fields=["organization", "deployment"],
                to="organizations.Organization",
                to_fields=["id", "deployment"],
                on_delete="CASCADE",
                violation_error_message="The organization belongs to another deployment.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class OrganizationRole(Role):
    """A role in organizations: in every one of the deployment, or in ``organization`` alone."""

    deployment_path = "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="organization_roles")
    organization = models.ForeignKey(Organization, models.CASCADE, null=True, blank=True, related_name="roles")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "organization", "name"],
                nulls_distinct=False,
                name="organizations_organizationrole_name_is_unique",
            ),
            models.UniqueConstraint(fields=["id", "deployment"], name="organizations_organizationrole_with_deployment"),
            *Role.Meta.constraints,
        ]
        indexes = [words_index("name", name="organizations_orgrole_words")]
        triggers = [
            touch(),
            immutable("deployment", "organization"),
            *audited(naming=["name"]),
            # No process caches the holders of an organization's roles, only responses that depend on them.
            *invalidates("contents", "deployment_id", inserts=False),
        ]

    def clean(self) -> None:
        """The role's owner implies its deployment, so a form need not ask for it."""
        if self.deployment_id is None and self.organization is not None:
            self.deployment_id = self.organization.deployment_id


class WorkspaceRole(Role):
    """A role in workspaces: in every one of the deployment, of ``organization``, or in ``workspace`` alone."""

    deployment_path = "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="workspace_roles")
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="workspace_roles"
    )
    workspace = models.ForeignKey(Workspace, models.CASCADE, null=True, blank=True, related_name="roles")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "organization", "workspace", "name"],
                nulls_distinct=False,
                name="organizations_workspacerole_name_is_unique",
            ),
            models.UniqueConstraint(fields=["id", "deployment"], name="organizations_workspacerole_with_deployment"),
            *Role.Meta.constraints,
            models.CheckConstraint(
                name="organizations_workspacerole_names_its_organization",
                condition=models.Q(workspace__isnull=True) | models.Q(organization__isnull=False),
                violation_error_message="A role of a workspace must name the workspace's organization too.",
            ),
            ForeignKeyConstraint(
                name="organizations_workspacerole_is_of_organization",
                fields=["workspace", "organization"],
                to="organizations.Workspace",
                to_fields=["id", "organization"],
                on_delete="CASCADE",
                violation_error_message="The workspace belongs to another organization.",
            ),
        ]
        indexes = [words_index("name", name="organizations_wsrole_words")]
        triggers = [
            touch(),
            immutable("deployment", "organization", "workspace"),
            *audited(naming=["name"]),
            *invalidates("workspace role", deployment="changed.deployment_id", inserts=False),
        ]

    def clean(self) -> None:
        """The role's owner implies its organization and deployment, so a form need not ask for them."""
        if self.organization_id is None and self.workspace is not None:
            self.organization_id = self.workspace.organization_id
        if self.deployment_id is None and self.organization is not None:
            self.deployment_id = self.organization.deployment_id


def _segment_fits(type_: Segment.Type, deployment_of_member: str) -> pgtrigger.Trigger:
    return must_match(
        "segment_fits",
        f"""
        SELECT 1 FROM organizations_segment segment
        WHERE segment.id = NEW.segment_id AND segment.type = '{type_}'
            AND segment.deployment_id = ({deployment_of_member})
        """,
        f"the segment must be of type {type_} and of the same deployment",
    )


class SegmentLink(models.Model):
    """A member of a segment: an object in the field that is named as the segment's type."""

    deployment_path = "segment__deployment"

    type: Segment.Type

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{getattr(self, self.type)} in {self.segment}"  # type: ignore[attr-defined]  # the subclass has it

    def clean(self) -> None:
        """The rule of the trigger ``segment_fits``."""
        try:
            segment: Segment = self.segment  # type: ignore[attr-defined]  # the subclass has it
            deployment_id = getattr(self, self.type).deployment_id
        except ObjectDoesNotExist:  # one of them is still to be chosen, which the form reports
            return
        if segment.type != self.type:
            raise ValidationError(
                _("“%(segment)s” is a segment of %(actual)ss; a %(wanted)s cannot be in it."),
                params={"segment": segment, "actual": segment.type, "wanted": self.type.value},
            )
        if segment.deployment_id != deployment_id:
            raise ValidationError(_("“%(segment)s” is a segment of another deployment."), params={"segment": segment})


class UserSegment(SegmentLink):
    """A user is in a segment."""

    type = Segment.Type.USER
    user = models.ForeignKey(User, models.CASCADE, related_name="user_segments")
    segment = models.ForeignKey(Segment, models.CASCADE, related_name="user_segments")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "segment"], name="organizations_usersegment_once")]
        triggers = [
            _segment_fits(Segment.Type.USER, "SELECT deployment_id FROM accounts_user WHERE id = NEW.user_id"),
            *audited(),
            *invalidates("user", "user_id", deployment=_DEPLOYMENT_OF_SEGMENT),
        ]


class OrganizationSegment(SegmentLink):
    """An organization is in a segment."""

    type = Segment.Type.ORGANIZATION
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="organization_segments")
    segment = models.ForeignKey(Segment, models.CASCADE, related_name="organization_segments")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "segment"], name="organizations_organizationsegment_once")
        ]
        triggers = [
            _segment_fits(
                Segment.Type.ORGANIZATION,
                "SELECT deployment_id FROM organizations_organization WHERE id = NEW.organization_id",
            ),
            *audited(),
            *invalidates("organization", "organization_id", deployment=_DEPLOYMENT_OF_SEGMENT),
        ]


class WorkspaceSegment(SegmentLink):
    """A workspace is in a segment."""

    type = Segment.Type.WORKSPACE
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="workspace_segments")
    segment = models.ForeignKey(Segment, models.CASCADE, related_name="workspace_segments")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "segment"], name="organizations_workspacesegment_once")
        ]
        triggers = [
            _segment_fits(
                Segment.Type.WORKSPACE,
                "SELECT organization.deployment_id FROM organizations_workspace workspace "
                "JOIN organizations_organization organization ON organization.id = workspace.organization_id "
                "WHERE workspace.id = NEW.workspace_id",
            ),
            *audited(),
            *invalidates("workspace", "workspace_id", deployment=_DEPLOYMENT_OF_SEGMENT),
        ]
