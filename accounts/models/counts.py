"""The counts of each day, for the plots of staff.

No foreign key of the database ties counts to their owners: a deletion would fail, or wait, if counts were written at
the same moment. ``accounts.counting.sweep`` deletes those whose owner is gone.
"""

from __future__ import annotations

from django.db import models

from accounts.models.deployments import Deployment
from accounts.models.users import User


class DailyCount(models.Model):
    """How often something happened in a deployment on a day of UTC; the number is the sum of its rows.

    A row of ``slot`` 0 is of the processes of the server (``accounts.counting``). Triggers count in the slot of their
    connection's process id, so that no transaction waits for another one's end; slots of past days are swept into 0.
    """

    deployment_path = "deployment"

    class Kind(models.TextChoices):
        ACTIVE_USERS = "active_users"
        SIGN_INS = "sign_ins"
        FAILED_SIGN_INS = "failed_sign_ins"
        NEW_MEMBERS = "new_members"
        # The users whom a rule kept out; the names are those of the restrictions (docs/eligibility.md).
        IP_NOT_ALLOWED = "ip_not_allowed"
        MFA_REQUIRED = "mfa_required"
        IP_AND_MFA_REQUIRED = "ip_and_mfa_required"

    pk = models.CompositePrimaryKey("deployment_id", "day", "kind", "slot")
    deployment = models.ForeignKey(Deployment, models.CASCADE, db_constraint=False, db_index=False, related_name="+")
    day = models.DateField()
    kind = models.CharField(max_length=20)
    slot = models.IntegerField()
    number = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                name="accounts_dailycount_kind_is_known",
                condition=models.Q(
                    kind__in=[
                        *("active_users", "sign_ins", "failed_sign_ins", "new_members"),
                        *("ip_not_allowed", "mfa_required", "ip_and_mfa_required"),
                    ]
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.day}"


class CountedUser(models.Model):
    """A user who has been counted on a day: users count once a day and kind. Kept for two days."""

    deployment_path = "user__deployment"

    pk = models.CompositePrimaryKey("user_id", "day", "kind")
    user = models.ForeignKey(User, models.CASCADE, db_constraint=False, db_index=False, related_name="+")
    day = models.DateField()
    kind = models.CharField(max_length=20)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"user {self.user_id} on {self.day}"
