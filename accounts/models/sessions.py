"""Sessions, and the sign-ins in them."""

from __future__ import annotations

from typing import Any

from django.db import models

from accounts.models.deployments import Deployment
from accounts.models.users import User
from audit.triggers import audited_ends
from database.constraints import ForeignKeyConstraint, of_same
from database.fields import TimeStamped
from database.triggers import immutable, touch


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
    ip_address = models.GenericIPAddressField("IP address", null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True, db_default="")

    class Meta:
        verbose_name = "sign-in"
        indexes = [models.Index(fields=["ip_address", "-id"], name="accounts_signin_by_address")]
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
