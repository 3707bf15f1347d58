"""The permissions of staff, and their authenticators and backup codes."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django_otp.models import Device

from accounts.models import Deployment
from accounts.values import encryption
from audit.triggers import audited
from database.fields import TimeStamped
from database.triggers import immutable, touch


class StaffAccess(TimeStamped):
    """The permissions of a member of staff. Without them staff may do nothing; superusers need none."""

    class Role(models.TextChoices):
        OPERATOR = "operator", "operator: reads and writes"
        SUPPORT = "support", "support: reads"

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="staff_access")
    role = models.CharField(max_length=20, choices=Role, default=Role.SUPPORT, db_default=Role.SUPPORT)
    all_deployments = models.BooleanField(default=False, db_default=False)
    deployments = models.ManyToManyField(
        Deployment,
        blank=True,
        related_name="staff_access",
        help_text="Staff see and change nothing of other deployments. Not needed with “all deployments”.",
    )
    sees_private_metadata = models.BooleanField(
        default=False, db_default=False, help_text="Operators always see private metadata; support only with this."
    )

    class Meta:
        verbose_name = verbose_name_plural = "staff permissions"
        permissions = [("view_private_metadata", "Can see private metadata")]
        constraints = [
            models.CheckConstraint(
                name="staff_staffaccess_role_is_known", condition=models.Q(role__in=["operator", "support"])
            )
        ]
        triggers = [touch(), immutable("user"), *audited()]

    def __str__(self) -> str:
        return f"{self.role} {self.user}"


class StaffAuthenticator(Device):
    """A TOTP authenticator of a member of staff (RFC 6238). Unlike django-otp's own it is encrypted at rest."""

    secret = models.BinaryField(editable=False, help_text="encrypted with KEY_ENCRYPTION_KEYS")
    last_step = models.BigIntegerField(
        null=True, editable=False, help_text="The time step of the last code taken: no code is taken twice."
    )

    def set_secret(self, secret: str) -> None:
        """Set the base32 secret; the row is not saved."""
        self.secret = encryption.encrypt(secret.encode())


class StaffBackupCodes(Device):
    """The unused backup codes of a member of staff, kept as hashes."""

    code_hashes = ArrayField(models.CharField(max_length=64), default=list, editable=False)

    class Meta:
        verbose_name_plural = "staff backup codes"


class StaffDeployment(StaffAccess.deployments.through):  # type: ignore[name-defined]  # Django makes the class
    """A deployment in ``StaffAccess.deployments``; Django makes the table, this class its triggers."""

    class Meta:
        proxy = True
        triggers = audited()


class SavedView(models.Model):
    """The search, filters, order and columns of a list, as a member of staff keeps them: theirs alone, and not audited.

    The view without a name has the columns that the list shows while no other is open.
    """

    NAME_LENGTH, QUERY_LENGTH = 60, 2000

    staff = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views")
    model = models.CharField(max_length=100, help_text="Such as accounts.user.")
    name = models.CharField(max_length=NAME_LENGTH, blank=True, db_default="")
    query = models.CharField(max_length=QUERY_LENGTH, blank=True, db_default="", help_text="As in the list's address.")
    columns = ArrayField(models.CharField(max_length=100), default=list, blank=True, help_text="None: the usual ones.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["staff", "model", "name"], name="staff_savedview_by_name")]

    def __str__(self) -> str:
        return f"view {self.pk}"  # others may see it where a member of staff is deleted
