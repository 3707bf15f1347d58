"""What each of the staff may do, and in which deployments."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.audit.triggers import audited
from accounts.models import Deployment
from config.database.models import TimeStamped
from config.database.triggers import immutable, touch


class StaffAccess(TimeStamped):
    """The rights of one of the staff. Who has none may do nothing; a superuser needs none."""

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
        help_text="Unless it is all of them: nothing of the others can be seen or touched.",
    )
    sees_private_metadata = models.BooleanField(
        default=False, db_default=False, help_text="Operators see private metadata anyway; support only with this."
    )

    class Meta:
        verbose_name_plural = "staff access"
        permissions = [("view_private_metadata", "Can see private metadata")]
        constraints = [
            models.CheckConstraint(
                name="accounts_staffaccess_role_is_known", condition=models.Q(role__in=["operator", "support"])
            )
        ]
        triggers = [touch(), immutable("user"), *audited()]

    def __str__(self) -> str:
        return f"{self.role} {self.user}"


class StaffDeployment(StaffAccess.deployments.through):  # type: ignore[name-defined]
    """A deployment that somebody of the staff may enter; Django makes the table, this its triggers."""

    class Meta:
        proxy = True
        triggers = audited()
