"""Sign-ins and sign-ups that are under way."""

from __future__ import annotations

from django.db import models

from accounts.models.deployments import Deployment
from accounts.models.invitations import SignUpInvitation
from accounts.models.sessions import Session
from accounts.models.users import User
from accounts.values.names import AddressField, NameField, is_normal
from database.constraints import of_same
from database.fields import TimeStamped
from database.triggers import immutable, touch


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


def awaits_mailed_code(attempt: str) -> str:
    """SQL: whether a row of the table that is not completed awaits the code of a mail."""
    return f"({attempt}.method = 'email_otp' AND {attempt}.code_taken_at IS NULL)"


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
