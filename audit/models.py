"""The audit log: one row for each change of a row, written by triggers, whoever makes the change."""

from __future__ import annotations

import pgtrigger
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Lower, Now

from database.triggers import refuse


def model_of(label: str) -> type[models.Model] | None:
    """The model called ``label`` in the log; None if it is no more."""
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None


def kind_of(label: str) -> str:
    """The model called ``label`` for people, such as "workspace membership"."""
    model = model_of(label)
    return str(model._meta.verbose_name) if model else label


class CurrentGroupId(models.Func):
    """The group of the present action: the application's (``audit.actors``), else one of the transaction."""

    function = "audit_group"
    arity = 0
    output_field = models.UUIDField()


class AuditGroup(models.Model):
    """The name of an action, as ``AuditEntry.group_id``; an action without one is named by its entries.

    ``deployment_id`` is null where an action has changed rows of several deployments, or of none.
    """

    deployment_path = "deployment_id"

    id = models.UUIDField(primary_key=True, editable=False)
    name = models.TextField(editable=False)
    deployment_id = models.BigIntegerField(null=True, editable=False)
    undoes = models.UUIDField(
        null=True, editable=False, db_index=True, help_text="The group that this action undid, or a part of it."
    )

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class AuditEntry(models.Model):
    """One change of one row: actor, time, address, and the row before and after.

    It refers to nothing by foreign key, since it outlives those rows. ``before`` and ``after`` hold whole rows
    where one was added or deleted, and of a changed one the columns that changed; secrets never.
    """

    deployment_path = "deployment_id"

    class Action(models.TextChoices):
        ADDED = "added"
        CHANGED = "changed"
        DELETED = "deleted"

    class ActorKind(models.TextChoices):
        STAFF = "staff"
        USER = "user", "user (API)"
        VISITOR = "visitor", "visitor (API)"
        COMMAND = "command"
        DATABASE = "database", "database role (SQL)"

    at = models.DateTimeField(db_default=Now(), editable=False)
    action = models.CharField(max_length=10, choices=Action, editable=False)
    model = models.CharField(max_length=100, editable=False, help_text="such as organizations.workspace")
    object_id = models.BigIntegerField(editable=False)
    name = models.TextField(editable=False, help_text="what the object was called, if it had a name")
    subjects = ArrayField(
        models.TextField(), editable=False, help_text="the object and what it refers to, as model:id, for their pages"
    )
    deployment_id = models.BigIntegerField(null=True, editable=False)
    actor_kind = models.CharField(max_length=10, choices=ActorKind, editable=False)
    actor_id = models.BigIntegerField(null=True, editable=False)
    actor_name = models.TextField(editable=False)
    address = models.GenericIPAddressField(null=True, editable=False)
    group_id = models.UUIDField(
        null=True, db_default=CurrentGroupId(), editable=False, help_text="The same for all entries of one action."
    )
    before = models.JSONField(null=True, editable=False)
    after = models.JSONField(null=True, editable=False)
    erased_at = models.DateTimeField(
        null=True, editable=False, help_text="When a person's data was erased from the entry (audit.erasure)."
    )

    class Meta:
        default_permissions = ("view",)
        verbose_name = "audit log entry"
        verbose_name_plural = "audit log entries"
        ordering = ("-id",)
        indexes = [
            GinIndex(fields=["subjects"], name="audit_auditentry_by_subject", fastupdate=False),
            models.Index(fields=["deployment_id", "-id"], name="audit_auditentry_of_tenant"),
            models.Index(fields=["actor_name", "-id"], name="audit_auditentry_by_actor"),
            models.Index(  # has all columns that a search for a name needs: PostgreSQL reads no entry for it
                OpClass(Lower("name"), name="text_pattern_ops"),
                *("model", "object_id", "id"),
                name="audit_auditentry_by_name",
                include=["name"],
                condition=~models.Q(name=""),
            ),
            models.Index(fields=["group_id", "id"], name="audit_auditentry_of_group"),
            models.Index(fields=["object_id", "model", "id"], name="audit_auditentry_of_object"),
            models.Index(fields=["model", "-id"], name="audit_auditentry_of_model"),
            models.Index(fields=["action", "-id"], name="audit_auditentry_of_action"),
            models.Index(fields=["actor_kind", "-id"], name="audit_auditentry_of_actors"),
            models.Index(fields=["at"], name="audit_auditentry_by_time"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="append_only",
                operation=pgtrigger.Update | pgtrigger.Delete,
                when=pgtrigger.Before,
                func=f"""
                    IF TG_OP = 'DELETE' AND current_setting('rollcall.pruning', true) = 'on' THEN RETURN OLD; END IF;
                    IF TG_OP = 'UPDATE' AND current_setting('rollcall.erasing', true) = 'on' THEN RETURN NEW; END IF;
                    {refuse("append_only", "the audit log cannot be changed; see prune_audit_log and erase_user")}
                """,
            ),
            pgtrigger.Trigger(
                name="never_emptied",
                operation=pgtrigger.Truncate,
                when=pgtrigger.Before,
                level=pgtrigger.Statement,
                func=f"""
                    IF current_setting('rollcall.emptying', true) = 'on' THEN RETURN NULL; END IF;
                    {refuse("never_emptied", "the audit log cannot be emptied; see prune_audit_log")}
                """,
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"{kind_of(self.model)} {self.object_id}"

    @staticmethod
    def subject(obj: models.Model) -> str:
        """``obj`` as an element of ``subjects``."""
        return f"{obj._meta.label_lower}:{obj.pk}"
