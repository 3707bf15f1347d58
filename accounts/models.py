"""Deployments, their signing keys, users, sessions and sign-ins."""

from __future__ import annotations

import re
from typing import Any

import pgtrigger
from django.contrib.auth import hashers
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.db.models.lookups import Regex
from django.utils.translation import gettext_lazy as _

from accounts import encryption
from accounts.address_models import EmailAddress as EmailAddress
from accounts.address_models import keeps_primary_address
from accounts.browser_origins import ORIGIN_LINES, as_browsers_write, is_origin
from accounts.front_ends import LOOPING, LOOPING_WAITLIST, ui_settings, validate_ui_settings
from accounts.mail_texts import Template, problems_of
from accounts.names import AddressField, NameField, is_normal
from audit.triggers import audited, audited_ends
from database.constraints import ForeignKeyConstraint, of_same
from database.fields import MetadataField, TimeStamped, is_json_object, is_list_of_texts
from database.triggers import immutable, invalidates, must_match, touch
from database.words import Words

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST_PATTERN = rf"^(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*$|^(?=.*:.*:)[0-9a-f:]{{2,39}}$"
"""A host as the Host header names it once normalised: lower case, no port, no final dot, no brackets."""


def validate_host(value: str) -> None:
    if not re.fullmatch(HOST_PATTERN, value):
        raise ValidationError(_("%(value)s is not a lower-case host name without port."), params={"value": value})


def _host_is_normalised() -> models.CheckConstraint:
    return models.CheckConstraint(
        name="%(app_label)s_%(class)s_host_is_normalised",
        condition=models.Q(host__regex=HOST_PATTERN),
        violation_error_message="The host must be a lower-case host name without port.",
    )


def validate_origin(value: str) -> None:
    if is_origin(value):
        return
    if (meant := as_browsers_write(value)) is not None:
        raise ValidationError(
            _("%(value)s never matches, because browsers write it as %(meant)s."),
            params={"value": value.replace("%", "%%"), "meant": meant},
        )
    raise ValidationError(
        _("%(value)s is not an origin such as https://app.example.com."), params={"value": value.replace("%", "%%")}
    )


def _organization_permissions() -> list[str]:
    return ["organization:admin", "organization:member"]


def _workspace_permissions() -> list[str]:
    return ["workspace:admin", "workspace:member"]


def _permissions(level: str, help_text: str) -> ArrayField[Any, Any]:
    default = _organization_permissions if level == "organization" else _workspace_permissions
    return ArrayField(
        models.CharField(max_length=200), default=default, db_default=default(), blank=True, help_text=help_text
    )


def _most_members(of: str) -> models.PositiveIntegerField[Any, Any]:
    return models.PositiveIntegerField(
        f"members of {of}",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="The number up to which people can join by themselves or by invitation. Empty: no limit.",
    )


def _default_role(kind: str, help_text: str) -> models.ForeignKey[Any, Any]:
    """Named by a string: roles are in a room above, which puts their rules into the database."""
    return models.ForeignKey(
        f"organizations.{kind}Role",
        models.SET_NULL,
        null=True,
        blank=True,
        db_constraint=False,
        limit_choices_to={"organization": None},
        related_name="+",
        help_text=help_text,
    )


def _is_own_role(field: str, kind: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        name=f"accounts_deployment_{field}_is_its_own",
        fields=[field, "id"],
        to=f"organizations.{kind}Role",
        to_fields=["id", "deployment"],
        on_delete="SET NULL",
        violation_error_message="The default role must be one of this deployment.",
    )


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
    ip_allowlist_per_org_enabled = models.BooleanField(default=True, db_default=True)
    ip_allowlist_per_workspace_enabled = models.BooleanField(default=True, db_default=True)
    enforce_mfa_per_org_enabled = models.BooleanField(default=True, db_default=True)
    enforce_mfa_per_workspace_enabled = models.BooleanField(default=True, db_default=True)
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
    max_allowed_org_members = _most_members("an organization")
    max_allowed_workspace_members = _most_members("a workspace")
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
    organization_permissions = _permissions("organization", "The permissions that administrators may give in roles.")
    workspace_permissions = _permissions("workspace", "The permissions that administrators may give in roles.")
    default_org_creator_role = _default_role("Organization", "Given to users who create an organization.")
    default_org_member_role = _default_role("Organization", "Given to users who join an organization by themselves.")
    default_workspace_creator_role = _default_role("Workspace", "Given to users who create a workspace.")
    default_workspace_member_role = _default_role("Workspace", "Given to members in the auto-assigned workspace.")
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
    """The key that signs, where the deployment comes from the cache (``accounts.cached_deployments``)."""

    class Meta:
        constraints = [
            *is_json_object("ui_settings"),
            *is_list_of_texts("organization_permissions", "workspace_permissions"),
            _is_own_role("default_org_creator_role", "Organization"),
            _is_own_role("default_org_member_role", "Organization"),
            _is_own_role("default_workspace_creator_role", "Workspace"),
            _is_own_role("default_workspace_member_role", "Workspace"),
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
            _host_is_normalised(),
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
        constraints = [_host_is_normalised()]
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
    say who signed in (``accounts.outside_issuers``): it verifies that issuer's tokens by its ``algorithm``, never a
    session token.
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
            *audited(naming=["kid"], ignoring=["tokens_until"], secret=["private_key"]),
            *invalidates("deployment", "deployment_id"),
        ]

    def __str__(self) -> str:
        return self.kid


class User(TimeStamped):
    """An end user of one deployment. Staff are Django's own users: neither can sign in as the other."""

    deployment_path = "deployment"
    actor_kind = "user"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="users")
    email = AddressField(max_length=254, blank=True, db_default="")
    username = NameField(max_length=150, blank=True, db_default="")
    first_name = models.CharField(max_length=150, blank=True, db_default="")
    last_name = models.CharField(max_length=150, blank=True, db_default="")
    external_id = models.CharField(
        max_length=255,
        blank=True,
        db_default="",
        help_text="The claim sub of the outside issuer that signs this user in, if any.",
    )
    external_issuer = models.CharField(
        max_length=500,
        blank=True,
        db_default="",
        help_text="The claim iss that goes with it. Needed only where the deployment has trusted several issuers.",
    )
    password = models.CharField(max_length=200, blank=True, db_default="", editable=False)
    picture = models.CharField(
        max_length=200, blank=True, db_default="", editable=False, help_text="The name of its file in the storage."
    )
    disabled = models.BooleanField(default=False, db_default=False, help_text="A disabled user cannot use any session.")
    public_metadata = MetadataField()
    private_metadata = MetadataField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "deployment"], name="accounts_user_with_deployment"),
            models.UniqueConstraint(
                "deployment",
                Lower("email"),
                condition=~models.Q(email=""),
                name="accounts_user_email_is_unique",
                violation_error_message="Another user of this deployment has this e-mail address.",
            ),
            models.UniqueConstraint(
                "deployment",
                Lower("username"),
                condition=~models.Q(username=""),
                name="accounts_user_username_is_unique",
                violation_error_message="Another user of this deployment has this username.",
            ),
            models.UniqueConstraint(
                fields=["deployment", "external_issuer", "external_id"],
                condition=~models.Q(external_id=""),
                name="accounts_user_external_id_is_unique",
                violation_error_message="Another user of this deployment has this external id of this issuer.",
            ),
            models.CheckConstraint(
                name="accounts_user_has_an_identifier",
                condition=~models.Q(email="") | ~models.Q(username=""),
                violation_error_message="A user needs an e-mail address or a username.",
            ),
            *is_normal("email", "username"),
            *is_json_object("public_metadata", "private_metadata"),
        ]
        indexes = [
            GinIndex(Words("email", "username", "first_name", "last_name", "external_id"), name="accounts_user_words")
        ]
        triggers = [
            touch(),
            immutable("deployment"),
            *audited(naming=["email", "username"], secret=["password"]),
            *keeps_primary_address(),
        ]

    def __str__(self) -> str:
        return self.email or self.username

    @property
    def is_authenticated(self) -> bool:
        """True: Django REST framework checks this of ``request.user``."""
        return True

    def set_password(self, password: str) -> None:
        """Set the hash (Argon2id); the row is not saved."""
        self.password = hashers.make_password(password)


class Authenticator(TimeStamped):
    """A TOTP generator (RFC 6238). It counts once it is confirmed."""

    deployment_path = "user__deployment"

    user = models.ForeignKey(User, models.CASCADE, related_name="authenticators")
    secret = models.BinaryField(editable=False, help_text="encrypted with KEY_ENCRYPTION_KEYS")
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_step = models.BigIntegerField(
        null=True,
        editable=False,
        help_text="The time step of the last code taken: no code is taken twice (RFC 6238, 5.2).",
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["user"], condition=models.Q(confirmed_at__isnull=False), name="accounts_authenticator_ready"
            )
        ]
        triggers = [
            touch(),
            immutable("user"),
            pgtrigger.Trigger(
                name="codes_go_along",
                when=pgtrigger.After,
                operation=pgtrigger.Delete,
                func="""
                    DELETE FROM accounts_backupcode WHERE user_id = OLD.user_id AND NOT EXISTS (
                        SELECT 1 FROM accounts_authenticator WHERE user_id = OLD.user_id AND confirmed_at IS NOT NULL
                    );
                    RETURN NULL;
                """,
            ),
            *audited(ignoring=["last_step"], secret=["secret"]),
        ]

    def __str__(self) -> str:
        return f"authenticator {self.pk}"

    def set_secret(self, secret: str) -> None:
        """Set the base32 secret; the row is not saved."""
        self.secret = encryption.encrypt(secret.encode())


class BackupCode(models.Model):
    """Stands in for an authenticator once, kept as a hash. It counts only beside a confirmed authenticator."""

    deployment_path = "user__deployment"

    user = models.ForeignKey(User, models.CASCADE, related_name="backup_codes")
    code_hash = models.CharField(max_length=200, editable=False)
    created_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["user"], condition=models.Q(used_at__isnull=True), name="accounts_backupcode_unused")
        ]
        triggers = [immutable("user", "code_hash"), *audited(secret=["code_hash"])]

    def __str__(self) -> str:
        return f"backup code {self.pk}"


class Session(TimeStamped):
    """A client of one deployment, such as a browser; it may hold several sign-ins, one of them active."""

    deployment_path = "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="sessions")
    active_sign_in = models.ForeignKey("SignIn", models.SET_NULL, null=True, blank=True, related_name="+")
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    token_serial = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    token_floor = models.PositiveIntegerField(
        default=1, db_default=1, editable=False, help_text="Tokens of a lower serial are from before the last sign-in."
    )
    token_seen_at = models.DateTimeField(
        null=True, editable=False, help_text="When the token of the current serial was first used."
    )
    has_mfa: bool
    """Whether the user of the active sign-in has MFA; of a session as ``session_rows`` reads it."""

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="accounts_session_to_sweep")]
        constraints = [
            models.UniqueConstraint(fields=["id", "deployment"], name="accounts_session_with_deployment"),
            ForeignKeyConstraint(
                name="accounts_session_active_sign_in_is_its_own",
                fields=["active_sign_in", "id"],
                to="accounts.SignIn",
                to_fields=["id", "session"],
                on_delete="SET NULL",
                violation_error_message="The active sign-in must be one of this session.",
            ),
        ]
        triggers = [
            touch(ignoring=["token_serial", "token_floor", "token_seen_at"]),
            immutable("deployment"),
            *audited_ends(ignoring=["token_serial", "token_floor", "token_seen_at"]),
        ]

    def __str__(self) -> str:
        return f"session {self.pk}"


class SignIn(TimeStamped):
    """A user signed in within a session."""

    deployment_path = "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="+", editable=False)
    session = models.ForeignKey(Session, models.CASCADE, related_name="sign_ins")
    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    last_active_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When the session's token was last renewed with this as the active sign-in.",
    )
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True, db_default="")

    class Meta:
        verbose_name = "sign-in"
        constraints = [
            models.UniqueConstraint(fields=["id", "session"], name="accounts_signin_with_session"),
            models.UniqueConstraint(fields=["id", "user"], name="accounts_signin_with_user"),
            of_same("deployment", "session", "accounts.Session", error="The session belongs to another deployment."),
            of_same(
                "deployment", "user", "accounts.User", error="The user belongs to another deployment than the session."
            ),
        ]
        triggers = [
            touch(ignoring=["last_active_at"]),
            immutable("deployment", "session", "user"),
            *audited_ends(ignoring=["last_active_at"]),
        ]

    def __str__(self) -> str:
        return f"sign-in {self.pk}"

    def clean_fields(self, exclude: Any = None) -> None:
        if self.session_id is not None:
            self.deployment_id = self.session.deployment_id
        super().clean_fields(exclude=exclude)


class SignInAttempt(TimeStamped):
    """A sign-in that awaits a code: that of a mail, or after that or the right password an MFA code.

    While it awaits the code of a mail, nothing but ``email`` says who signs in: nobody need have that address.
    """

    deployment_path = "deployment"

    class Method(models.TextChoices):
        EMAIL = "plain_email"
        USERNAME = "plain_username"
        EMAIL_CODE = "email_otp"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="+", editable=False)
    session = models.ForeignKey(Session, models.CASCADE, related_name="sign_in_attempts")
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sign_in_attempts")
    email = AddressField(max_length=254, blank=True, db_default="", help_text="To which the code is sent.")
    code_taken_at = models.DateTimeField(null=True, blank=True, help_text="When the code of the mail was given.")
    method = models.CharField(max_length=20, choices=Method)
    expires_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = "sign-in attempt"
        constraints = [
            of_same("deployment", "session", "accounts.Session"),
            of_same("deployment", "user", "accounts.User"),
        ]
        triggers = [touch(), immutable("deployment", "session", "user")]

    def __str__(self) -> str:
        return f"sign-in attempt {self.pk}"

    @property
    def awaits_mailed_code(self) -> bool:
        return self.method == self.Method.EMAIL_CODE and self.code_taken_at is None and self.completed_at is None


class Invitation(TimeStamped):
    """The base of what people are invited to by mail; the link has the token (``accounts.invitations``)."""

    email = AddressField(max_length=254)
    token_hash = models.CharField(max_length=64, editable=False)
    expires_at = models.DateTimeField(editable=False)
    accepted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["token_hash"], name="%(app_label)s_%(class)s_token_is_unique"),
            *is_normal("email"),
        ]

    def __str__(self) -> str:
        return self.email


class SignUpInvitation(Invitation):
    """An address that staff have invited to sign up."""

    deployment_path = "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="sign_up_invitations")
    first_name = models.CharField(max_length=150, blank=True, db_default="")
    last_name = models.CharField(max_length=150, blank=True, db_default="")

    class Meta:
        verbose_name = "sign-up invitation"
        constraints = [
            *Invitation.Meta.constraints,
            models.UniqueConstraint(fields=["id", "deployment"], name="accounts_signupinvitation_with_deployment"),
            models.UniqueConstraint(
                "deployment",
                Lower("email"),
                condition=models.Q(accepted_at__isnull=True),
                name="accounts_signupinvitation_one_is_open",
                violation_error_message="This address has an open invitation: send that one again.",
            ),
        ]
        triggers = [touch(), immutable("deployment", "email"), *audited(naming=["email"], secret=["token_hash"])]


class SignUpAttempt(TimeStamped):
    """A sign-up that awaits the code of a mail.

    It becomes a user only with that code: until then it keeps neither its address nor its username from anybody, and
    says nothing about others who may have them.
    """

    deployment_path = "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="+", editable=False)
    session = models.ForeignKey(Session, models.CASCADE, related_name="sign_up_attempts")
    invitation = models.ForeignKey(SignUpInvitation, models.CASCADE, null=True, related_name="attempts")
    invitation_hash = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        editable=False,
        help_text="Of the token of an invitation to more than sign-up, such as to an organization.",
    )
    email = AddressField(max_length=254)
    username = NameField(max_length=150, blank=True, db_default="")
    first_name = models.CharField(max_length=150, blank=True, db_default="")
    last_name = models.CharField(max_length=150, blank=True, db_default="")
    password = models.CharField(
        max_length=200, blank=True, db_default="", editable=False, help_text="A hash; gone once the user has it."
    )
    expires_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "sign-up attempt"
        constraints = [
            of_same("deployment", "session", "accounts.Session"),
            of_same("deployment", "invitation", "accounts.SignUpInvitation"),
            *is_normal("email", "username"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="accounts_signup_to_sweep")]
        triggers = [touch(), immutable("deployment", "session", "email", "invitation", "invitation_hash")]

    def __str__(self) -> str:
        return f"sign-up attempt {self.pk}"


class SpentToken(models.Model):
    """A token of an outside issuer that was used; it is good once. See ``accounts.outside_issuers``."""

    digest = models.CharField(max_length=64, primary_key=True, help_text="SHA-256: the token itself is not kept")
    expires_at = models.DateTimeField(help_text="From then on the token is refused for its age.")

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="accounts_spenttoken_to_sweep")]

    def __str__(self) -> str:
        return self.digest


class FailureCount(models.Model):
    """How often sign-in failed lately for an account or from an address; see ``accounts.throttling``."""

    key = models.CharField(max_length=64, primary_key=True, help_text="a keyed hash: no names or addresses are kept")
    window_ends_at = models.DateTimeField()
    failures = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["window_ends_at"], name="accounts_failurecount_to_sweep")]

    def __str__(self) -> str:
        return self.key


class MailText(TimeStamped):
    """The text that staff of one deployment have written for a kind of mail, in the place of the default."""

    deployment_path = "deployment"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="mail_texts")
    template = models.CharField(max_length=30, choices=Template)
    subject = models.CharField(max_length=200)
    text = models.TextField(
        validators=[MaxLengthValidator(10_000)],
        help_text="Plain text, with empty lines between paragraphs. The HTML part is made from it.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "template"],
                name="accounts_mailtext_template_is_unique",
                violation_error_message="The deployment has a text for this mail already.",
            ),
            models.CheckConstraint(
                name="accounts_mailtext_template_is_known", condition=models.Q(template__in=Template.values)
            ),
        ]
        triggers = [touch(), immutable("deployment", "template"), *audited(naming=["template"])]

    def __str__(self) -> str:
        return self.get_template_display()

    def clean(self) -> None:
        if self.template not in Template.values:
            return  # the field's own check refuses it
        template = Template(self.template)
        problems = {
            "subject": problems_of(template, self.subject, is_subject=True),
            "text": problems_of(template, self.text, is_subject=False),
        }
        if any(problems.values()):
            raise ValidationError({field: found for field, found in problems.items() if found})


class Mail(models.Model):
    """A mail that is to be sent, or was: the outbox. See ``accounts.mail``."""

    deployment_path = "deployment"

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        REFUSED = "refused"
        EXPIRED = "expired", "given up"

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="mails")
    to = AddressField(max_length=254)
    template = models.CharField(max_length=30, choices=Template)
    content = models.BinaryField(
        null=True,
        editable=False,
        help_text="The values of the placeholders, as JSON, encrypted with KEY_ENCRYPTION_KEYS.",
    )
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, db_default=State.WAITING)
    tries = models.PositiveIntegerField(default=0, db_default=0)
    last_error = models.CharField(max_length=500, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=models.functions.Now(), editable=False)
    next_try_at = models.DateTimeField(db_default=models.functions.Now())
    good_until = models.DateTimeField(help_text="From then on it is not sent any more, and its content is gone.")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="accounts_mail_state_is_known",
                condition=models.Q(state__in=["waiting", "sent", "refused", "expired"]),
            ),
            models.CheckConstraint(
                name="accounts_mail_that_waits_has_content",
                condition=~models.Q(state="waiting") | models.Q(content__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at", "id"], condition=models.Q(state="waiting"), name="accounts_mail_to_send"
            ),
            models.Index(
                fields=["good_until"], condition=models.Q(content__isnull=False), name="accounts_mail_to_empty"
            ),
            models.Index(fields=["created_at"], name="accounts_mail_to_sweep"),
        ]
        triggers = [immutable("deployment", "to", "template")]

    def __str__(self) -> str:
        return f"mail {self.pk}"


class MailedCode(models.Model):
    """A code that was sent by mail; see ``accounts.codes``."""

    key = models.CharField(max_length=64, primary_key=True, help_text="a keyed hash of what the code is for")
    code_hash = models.CharField(max_length=64, help_text="a keyed hash: the code itself is not kept")
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="accounts_mailedcode_to_sweep")]

    def __str__(self) -> str:
        return self.key
