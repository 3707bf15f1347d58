"""Deployments, their hosts and their keys."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.lookups import Regex
from django.utils.translation import gettext_lazy as _

from accounts.models.administration import default_role, is_own_role, most_members, permissions
from accounts.models.hosts import host_is_normalised, validate_host, validate_origin
from accounts.values.browser_origins import ORIGIN_LINES
from accounts.values.front_ends import LOOPING, LOOPING_WAITLIST, ui_settings, validate_ui_settings
from audit.triggers import audited
from database.fields import MetadataField, TimeStamped, is_json_object, is_list_of_texts
from database.triggers import immutable, invalidates, must_match, touch


class Deployment(TimeStamped):
    """A product that uses the service: one host, its own users, keys, organizations and rules."""

    deployment_path = "pk"

    class Mode(models.TextChoices):
        PRODUCTION = "production"
        STAGING = "staging"

    class MetadataAudience(models.TextChoices):
        """The members who see the content of ``private_metadata``; the others see ``{}``."""

        MEMBERS = "members"
        ADMINS = "admins"
        NOBODY = "nobody"

    class SignUpMode(models.TextChoices):
        CLOSED = "closed", "nobody"
        INVITATION = "invitation", "who was invited"
        OPEN = "open", "everybody"

    class CookieSameSite(models.TextChoices):
        STRICT = "Strict"
        LAX = "Lax"
        NONE = "None"

    name = models.CharField(max_length=200)
    host = models.CharField(
        max_length=253,
        unique=True,
        validators=[validate_host],
        help_text="The host that clients call, without port. Tokens carry it in their claim iss.",
    )
    mode = models.CharField(
        max_length=20,
        choices=Mode,
        default=Mode.PRODUCTION,
        db_default=Mode.PRODUCTION,
        help_text="Staging also takes the session token as the query parameter __dev_session__.",
    )
    ip_allowlist_per_org_enabled = models.BooleanField("IP allowlist per org enabled", default=True, db_default=True)
    ip_allowlist_per_workspace_enabled = models.BooleanField(
        "IP allowlist per workspace enabled", default=True, db_default=True
    )
    enforce_mfa_per_org_enabled = models.BooleanField("enforce MFA per org enabled", default=True, db_default=True)
    enforce_mfa_per_workspace_enabled = models.BooleanField(
        "enforce MFA per workspace enabled", default=True, db_default=True
    )
    private_metadata_audience = models.CharField(
        max_length=20,
        choices=MetadataAudience,
        default=MetadataAudience.MEMBERS,
        db_default=MetadataAudience.MEMBERS,
        help_text="Who sees the content of private_metadata of organizations and workspaces.",
    )
    allowed_origins = ArrayField(
        models.CharField(max_length=300, validators=[validate_origin]),
        default=list,
        db_default=[],
        blank=True,
        help_text="Origins of the front-ends that may call this deployment from a browser.",
    )
    cookie_same_site = models.CharField(
        max_length=10,
        choices=CookieSameSite,
        default=CookieSameSite.LAX,
        db_default=CookieSameSite.LAX,
        help_text="None if front-ends are on another site than the host (RFC 6265bis, 5.6.7).",
    )
    organizations_enabled = models.BooleanField(default=True, db_default=True)
    workspaces_enabled = models.BooleanField(default=True, db_default=True)
    allow_users_to_create_orgs = models.BooleanField(
        "users may create organizations", default=False, db_default=False, help_text="And administer them."
    )
    org_creation_per_user_count = models.PositiveIntegerField(
        "organizations per user",
        null=True,
        blank=True,
        help_text="The number of organizations that a user may administer and still create one. Empty: no limit.",
    )
    workspaces_per_org_count = models.PositiveIntegerField(
        "workspaces per organization",
        null=True,
        blank=True,
        default=0,
        db_default=0,
        help_text="The number up to which an organization's administrators may create workspaces. Empty: no limit.",
    )
    max_allowed_org_members = most_members("an organization")
    max_allowed_workspace_members = most_members("a workspace")
    allow_org_deletion = models.BooleanField("administrators may delete organizations", default=False, db_default=False)
    allow_workspace_deletion = models.BooleanField(
        "administrators may delete workspaces", default=False, db_default=False
    )
    custom_org_role_enabled = models.BooleanField(
        "administrators may make roles of organizations", default=False, db_default=False
    )
    custom_workspace_role_enabled = models.BooleanField(
        "administrators may make roles of workspaces", default=False, db_default=False
    )
    organization_permissions = permissions("organization", "The permissions that administrators may give in roles.")
    workspace_permissions = permissions("workspace", "The permissions that administrators may give in roles.")
    default_org_creator_role = default_role("Organization", "Given to users who create an organization.")
    default_org_member_role = default_role("Organization", "Given to users who join an organization by themselves.")
    default_workspace_creator_role = default_role("Workspace", "Given to users who create a workspace.")
    default_workspace_member_role = default_role("Workspace", "Given to members in the auto-assigned workspace.")
    mail_sender = models.EmailField(
        blank=True,
        db_default="",
        help_text="The address that mails come from. If empty, MAIL_SENDER of the service or no-reply@ the host.",
    )
    mail_sender_name = models.CharField(
        max_length=200, blank=True, db_default="", help_text="The name that mails come from. If empty, the name above."
    )

    sign_up_mode = models.CharField(
        max_length=20,
        choices=SignUpMode,
        default=SignUpMode.CLOSED,
        db_default=SignUpMode.CLOSED,
        help_text="Who may sign up by themselves.",
    )
    challenge_demanded = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Signing in or up takes a proof of work by the user's browser, which makes guessing expensive.",
    )
    challenge_difficulty = models.PositiveSmallIntegerField(
        default=4,
        db_default=4,
        validators=[MinValueValidator(1), MaxValueValidator(6)],
        help_text="1 to 6. Each step makes the proof sixteen times as long; 4 is the widget's own default.",
    )
    sign_in_by_code = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Users may sign in with a code that is sent to their e-mail address, in place of the password.",
    )
    ui_settings = MetadataField(
        validators=[validate_ui_settings], help_text="Addresses and texts for front-ends, in place of the defaults."
    )

    cached_signing_key: SigningKey | None = None
    """The key that signs, where the deployment comes from the cache (``accounts.deployments.cached_deployments``)."""

    class Meta:
        constraints = [
            *is_json_object("ui_settings"),
            *is_list_of_texts("organization_permissions", "workspace_permissions"),
            is_own_role("default_org_creator_role", "Organization"),
            is_own_role("default_org_member_role", "Organization"),
            is_own_role("default_workspace_creator_role", "Workspace"),
            is_own_role("default_workspace_member_role", "Workspace"),
            models.CheckConstraint(
                name="accounts_deployment_sign_up_mode_is_known",
                condition=models.Q(sign_up_mode__in=["closed", "invitation", "open"]),
            ),
            models.CheckConstraint(
                name="accounts_deployment_challenge_can_be_solved",
                condition=models.Q(challenge_difficulty__gte=1, challenge_difficulty__lte=6),
                violation_error_message="The difficulty of the challenge must be 1 to 6.",
            ),
            models.CheckConstraint(
                name="accounts_deployment_members_are_some",
                condition=~models.Q(max_allowed_org_members=0) & ~models.Q(max_allowed_workspace_members=0),
                violation_error_message="An organization or a workspace has one member at least.",
            ),
            host_is_normalised(),
            models.CheckConstraint(
                name="accounts_deployment_origins_are_origins",
                condition=Regex(
                    models.Func(
                        "allowed_origins",
                        models.Value("\n"),
                        function="array_to_string",
                        output_field=models.TextField(),
                    ),
                    ORIGIN_LINES,
                ),
                violation_error_message="Each allowed origin must be one that browsers send.",
            ),
            models.CheckConstraint(
                name="accounts_deployment_mode_is_known",
                condition=models.Q(mode__in=["production", "staging"]),
            ),
            models.CheckConstraint(
                name="accounts_deployment_audience_is_known",
                condition=models.Q(private_metadata_audience__in=["members", "admins", "nobody"]),
            ),
            models.CheckConstraint(
                name="accounts_deployment_same_site_is_known",
                condition=models.Q(cookie_same_site__in=["Strict", "Lax", "None"]),
            ),
        ]
        triggers = [
            touch(),
            must_match(
                "host_is_no_alias",
                "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM accounts_deploymentalias WHERE host = NEW.host)",
                "the host is already an alias of a deployment",
                one_at_a_time="NEW.host",
            ),
            *audited(naming=["name"]),
            *invalidates("deployment", inserts=False),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if DeploymentAlias.objects.filter(host=self.host).exists():
            raise ValidationError({"host": _("This host is already an alias of a deployment.")})
        shown = ui_settings(self)
        if shown["after_signin_redirect_url"] in (shown["sign_in_page_url"], shown["sign_up_page_url"]):
            raise ValidationError(LOOPING)
        if shown["waitlist_page_url"] == shown["sign_up_page_url"]:
            raise ValidationError(LOOPING_WAITLIST)

    @property
    def issuer(self) -> str:
        """The claim ``iss`` of the deployment's session tokens."""
        return f"https://[{self.host}]" if ":" in self.host else f"https://{self.host}"

    def outside_issuers(self) -> list[str]:
        """The outside issuers that the deployment has ever trusted, those with revoked keys only included."""
        keys = SigningKey.objects.filter(deployment=self).exclude(issuer="")
        return list(keys.order_by("issuer").values_list("issuer", flat=True).distinct())


class DeploymentAlias(TimeStamped):
    """Another host at which a deployment answers. Its tokens still name the deployment's own host as issuer."""

    deployment_path = "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="aliases")
    host = models.CharField(max_length=253, unique=True, validators=[validate_host])

    class Meta:
        verbose_name_plural = "deployment aliases"
        constraints = [host_is_normalised()]
        triggers = [
            touch(),
            must_match(
                "alias_is_no_deployments_host",
                "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM accounts_deployment WHERE host = NEW.host)",
                "the host already belongs to a deployment",
                one_at_a_time="NEW.host",
            ),
            *audited(naming=["host"]),
            *invalidates("deployment", "deployment_id"),
        ]

    def __str__(self) -> str:
        return self.host

    def clean(self) -> None:
        if Deployment.objects.filter(host=self.host).exists():
            raise ValidationError({"host": _("This host already belongs to a deployment.")})


class SigningKey(models.Model):
    """An ES256 key pair (RFC 7518, section 3.4) with which one deployment signs its tokens.

    The newest usable key signs. ``retired_at`` stops it signing but lets it verify until ``tokens_until``;
    ``revoked_at`` ends both. A key without private half is that of an outside ``issuer`` whom the deployment trusts to
    say who signed in (``accounts.tokens.outside_issuers``): it verifies that issuer's tokens by its ``algorithm``, and
    never a session token.
    """

    deployment_path = "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="signing_keys")
    kid = models.CharField(max_length=255, editable=False)
    algorithm = models.CharField(
        max_length=10,
        default="ES256",
        db_default="ES256",
        editable=False,
        help_text="The only one that the key is for.",
    )
    public_key = models.TextField(editable=False, help_text="PEM, SubjectPublicKeyInfo")
    private_key = models.BinaryField(
        null=True, editable=False, help_text="PEM, PKCS#8, encrypted with KEY_ENCRYPTION_KEYS"
    )
    issuer = models.CharField(
        max_length=500, blank=True, db_default="", editable=False, help_text="The outside issuer; empty for an own key."
    )
    created_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)
    tokens_until = models.DateTimeField(
        null=True, editable=False, help_text="No token that this key signed lives longer; rounded up."
    )
    retired_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["deployment", "issuer", "kid"], name="accounts_signingkey_kid_is_unique"),
            models.CheckConstraint(
                name="accounts_signingkey_is_own_or_outside",
                condition=models.Q(issuer="", private_key__isnull=False, algorithm="ES256")
                | (~models.Q(issuer="") & models.Q(private_key__isnull=True)),
            ),
        ]
        indexes = [models.Index(fields=["deployment", "-created_at"], name="accounts_signingkey_newest")]
        triggers = [
            immutable("deployment", "kid", "algorithm", "public_key", "issuer"),
            *audited(
                naming=["kid"],
                ignoring=["tokens_until"],
                secret=["private_key"],
                final=["retired_at", "revoked_at"],
            ),
            *invalidates("deployment", "deployment_id"),
        ]

    def __str__(self) -> str:
        return self.kid
