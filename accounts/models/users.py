"""Users, and the authenticators with which they sign in."""

from __future__ import annotations

import pgtrigger
from django.contrib.auth import hashers
from django.db import models
from django.db.models.functions import Lower

from accounts.models.addresses import keeps_primary_address
from accounts.models.deployments import Deployment
from accounts.values import encryption
from accounts.values.names import AddressField, NameField, is_normal
from audit.triggers import audited
from database.fields import MetadataField, TimeStamped, is_json_object
from database.triggers import immutable, invalidates, touch
from database.words import words_index


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
            words_index("email", "username", "first_name", "last_name", "external_id", name="accounts_user_words")
        ]
        triggers = [
            touch(),
            immutable("deployment"),
            *audited(naming=["email", "username"], secret=["password"], lost=["picture"]),
            *keeps_primary_address(),
            *invalidates("user", deployment="changed.deployment_id", inserts=False),
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


def _invalidates_the_user() -> list[pgtrigger.Trigger]:
    deployment = "SELECT deployment_id FROM accounts_user WHERE id = changed.user_id"
    return invalidates("user", "user_id", deployment=deployment)


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
            *_invalidates_the_user(),
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
        triggers = [
            immutable("user", "code_hash"),
            *audited(secret=["code_hash"], final=["used_at"]),
            *_invalidates_the_user(),
        ]

    def __str__(self) -> str:
        return f"backup code {self.pk}"
