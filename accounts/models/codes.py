"""Codes that were sent, tokens that were used, and failures: no code is guessed, no token is used twice."""

from __future__ import annotations

from django.db import models


class MailedCode(models.Model):
    """A code that was sent by mail; see ``accounts.credentials.codes``."""

    key = models.CharField(max_length=64, primary_key=True, help_text="a keyed hash of what the code is for")
    code_hash = models.CharField(max_length=64, help_text="a keyed hash: the code itself is not kept")
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="accounts_mailedcode_to_sweep")]

    def __str__(self) -> str:
        return self.key


class SpentToken(models.Model):
    """A token of an outside issuer that was used; it is good once. See ``accounts.tokens.outside_issuers``."""

    digest = models.CharField(max_length=64, primary_key=True, help_text="SHA-256: the token itself is not kept")
    expires_at = models.DateTimeField(help_text="From then on the token is refused for its age.")

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="accounts_spenttoken_to_sweep")]

    def __str__(self) -> str:
        return self.digest


class FailureCount(models.Model):
    """How often sign-in failed lately for an account or from an address; see ``accounts.credentials.throttling``."""

    key = models.CharField(max_length=64, primary_key=True, help_text="a keyed hash: no names or addresses are kept")
    window_ends_at = models.DateTimeField()
    failures = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["window_ends_at"], name="accounts_failurecount_to_sweep")]

    def __str__(self) -> str:
        return self.key
