"""Invitations by mail."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower

from accounts.models.deployments import Deployment
from accounts.values.names import AddressField, is_normal
from audit.triggers import audited
from database.fields import TimeStamped
from database.triggers import immutable, touch


class Invitation(TimeStamped):
    """The base of what people are invited to by mail; the link has the token (``accounts.sign_in.invitations``)."""

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
        triggers = [
            touch(),
            immutable("deployment", "email"),
            *audited(naming=["email"], secret=["token_hash"], final=["accepted_at"]),
        ]
