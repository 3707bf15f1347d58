"""The outbox, and the texts that staff have written for it."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models

from accounts.models.deployments import Deployment
from accounts.values.mail_texts import Template, problems_of
from accounts.values.names import AddressField
from audit.triggers import audited
from database.fields import TimeStamped
from database.triggers import immutable, touch


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
    """A mail that is to be sent, or was: the outbox. See ``accounts.mail.outbox``."""

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
