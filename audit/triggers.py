"""The triggers that write the audit log. A model declares them in its ``Meta``: ``triggers = [*audited()]``.

They run once a statement, over its transition tables, so that bulk SQL and COPY stay fast. A table's deployment is
found by the model's ``deployment_path``, the subjects of an entry by the foreign keys. The migration that made the log
made the functions ``audit_actor`` and ``audit_difference``, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pgtrigger
from django.apps import apps
from django.db.models import SET_NULL, ForeignKey, Model

from database.triggers import refuse

PAUSE_AUDIT = """
    SELECT set_config('pgtrigger.ignore', array_agg(tgname)::text, true)
    FROM pg_trigger WHERE starts_with(tgname, 'pgtrigger_audit_')
"""
"""SQL that has the rest of the transaction write nothing into the log. For made-up data only."""

_NOISE = ("updated_at", "member_count")


class _Audit(pgtrigger.Trigger):
    """Writes entries for the rows of ``source``, in which ``o`` is a row before the statement and ``n`` one after."""

    when = pgtrigger.After
    level = pgtrigger.Statement

    def __init__(
        self,
        action: str,
        source: str,
        operation: pgtrigger.Operation,
        *,
        naming: Sequence[str] = (),
        ignoring: Sequence[str],
        secret: Sequence[str],
        lost: Sequence[str] = (),
        final: Sequence[str] = (),
        is_about_ends: bool = False,
        **options: Any,
    ) -> None:
        self.action, self.source, self.naming = action, source, naming
        self.ignoring, self.secret, self.lost, self.final = (*_NOISE, *ignoring), secret, lost, final
        self.is_about_ends = is_about_ends
        super().__init__(operation=operation, **({"name": f"audit_{action}"} | options))

    def get_func(self, model: Any) -> str:
        row = "o" if self.action == "deleted" else "n"
        before, after = self._document("o"), self._document("n", than="o" if self.action == "changed" else "")
        values = {
            "added": f"NULL, {after}",
            "deleted": f"{before}, NULL",
            "changed": "audit_difference(document.o, document.n), audit_difference(document.n, document.o)",
        }[self.action]
        source = self.source
        if self.action == "changed":
            source += f", LATERAL (SELECT {before} AS o, {after} AS n OFFSET 0) document WHERE document.o <> document.n"
        names = "".join(f"nullif({row}.{column}, ''), " for column in self.naming)
        return f"""
            INSERT INTO audit_auditentry (action, model, object_id, name, subjects, deployment_id,
                actor_kind, actor_id, actor_name, address, before, after)
            SELECT '{self.action}', '{model._meta.label_lower}', {row}.id, coalesce({names}''),
                {_subjects(model, row)}, {_deployment(model, row)},
                actor.kind, actor.id, actor.name, actor.address, {values}
            FROM audit_actor() actor, {source};
            RETURN NULL;
        """

    def _document(self, row: str, than: str = "") -> str:
        """The SQL of a row as JSON, without ignored columns; of a secret, only whether it is there or new."""
        kept = f"to_jsonb({row}) - '{{{','.join((*self.ignoring, *self.secret))}}}'::text[]"
        for column in self.secret:
            is_new = f"WHEN {row}.{column} IS DISTINCT FROM {than}.{column} THEN '(new secret)'" if than else ""
            shown = f"CASE WHEN coalesce(octet_length({row}.{column}), 0) = 0 THEN '' {is_new} ELSE '(secret)' END"
            kept += f" || jsonb_build_object('{column}', {shown})"
        return f"({kept})"


def audited(
    *,
    naming: Sequence[str] = (),
    ignoring: Sequence[str] = (),
    secret: Sequence[str] = (),
    lost: Sequence[str] = (),
    final: Sequence[str] = (),
) -> list[pgtrigger.Trigger]:
    """Write every change of the table into the audit log, under the first name that the columns ``naming`` have.

    Changes of the columns ``ignoring`` alone are not logged. Of the columns ``secret`` the log shows that they changed,
    never their content. The columns ``lost`` name things that are gone once they change, such as files: the log has
    them, but no undo restores them. The columns ``final`` say when something ended for good, such as a key that was
    revoked: no undo begins it again.
    """
    options: dict[str, Any] = {"naming": naming, "ignoring": ignoring, "secret": secret, "lost": lost, "final": final}
    added, deleted = pgtrigger.Referencing(new="added"), pgtrigger.Referencing(old="deleted")
    changed = pgtrigger.Referencing(old="was", new="became")
    return [
        _Audit("added", "added n", pgtrigger.Insert, referencing=added, **options),
        _Audit("changed", "was o JOIN became n ON n.id = o.id", pgtrigger.Update, referencing=changed, **options),
        _Audit("deleted", "deleted o", pgtrigger.Delete, referencing=deleted, **options),
        _Truncated(**options),
        pgtrigger.Trigger(
            name="id_is_kept",
            operation=pgtrigger.Update,
            when=pgtrigger.Before,
            condition=pgtrigger.AnyChange("id"),
            func=refuse("id_is_kept", "an id cannot change; the audit log knows the row by it"),
        ),
    ]


class _Truncated(_Audit):
    """There are no transition tables for TRUNCATE, but before it there is the table."""

    when = pgtrigger.Before

    def __init__(self, **options: Any) -> None:
        super().__init__("deleted", "", pgtrigger.Truncate, name="audit_truncated", **options)

    def get_func(self, model: Any) -> str:
        self.source = f"{model._meta.db_table} o"
        return super().get_func(model)


def audited_ends(*, ignoring: Sequence[str] = ()) -> list[pgtrigger.Trigger]:
    """Write into the audit log when ``ended_at`` of a row is set or a live one is deleted, and nothing else.

    Rows of these tables come, are renewed and go by themselves all the time. The triggers run once a row, so that
    PostgreSQL need not even call them for a renewal.
    """
    options: dict[str, Any] = {
        "ignoring": ignoring,
        "secret": (),
        "level": pgtrigger.Row,
        "is_about_ends": True,
    }
    ending = pgtrigger.AnyChange("ended_at")
    live = pgtrigger.Condition("OLD.ended_at IS NULL AND OLD.expires_at > statement_timestamp()")
    return [
        _Audit("changed", "(SELECT OLD.*) o, (SELECT NEW.*) n", pgtrigger.Update, condition=ending, **options),
        _Audit("deleted", "(SELECT OLD.*) o", pgtrigger.Delete, condition=live, **options),
    ]


def restored_by_undo(*triggers: pgtrigger.Trigger) -> list[pgtrigger.Trigger]:
    """Mark ``triggers`` that write rows or values which an undo restores by itself: they are silent meanwhile."""
    for trigger in triggers:
        vars(trigger)["is_restored_by_undo"] = True
    return list(triggers)


def triggers_restored_by_undo() -> list[str]:
    """The names in the database of the triggers that are marked so."""
    return [
        trigger.get_pgid(model)
        for model in apps.get_models()
        for trigger in getattr(model._meta, "triggers", ())
        if getattr(trigger, "is_restored_by_undo", False)
    ]


@dataclass(frozen=True, slots=True)
class Kept:
    """The columns of a model, by what the log keeps of them. An undo can restore the ``restorable`` ones.

    ``secret`` columns are kept without their content, ``lost`` ones name things that may be gone, ``final`` ones say
    when something ended for good. Of models that are ``only_ends`` the log has the ends of rows alone.
    """

    restorable: tuple[str, ...]
    secret: tuple[str, ...]
    lost: tuple[str, ...]
    final: tuple[str, ...]
    only_ends: bool


def kept(model: Any) -> Kept | None:
    """The columns of ``model``, by what the log keeps of them; None if their changes are not in it."""
    audits = _audits(model)
    if not audits:
        return None
    first = audits[0]
    left_out = {*first.ignoring, *first.secret, *first.lost}
    columns = tuple(field.column for field in model._meta.concrete_fields if field.column not in left_out)
    return Kept(columns, tuple(first.secret), tuple(first.lost), tuple(first.final), first.is_about_ends)


def _foreign_keys(model: Any) -> list[ForeignKey]:
    return [field for field in model._meta.concrete_fields if isinstance(field, ForeignKey)]


def _subjects(model: type[Model], row: str) -> str:
    """Not the deployment: it has a column of its own, and would be a subject of everything."""
    subjects = [f"'{model._meta.label_lower}:' || {row}.id"]
    for field in _foreign_keys(model):
        related: Any = field.remote_field.model
        if _path(related) != "pk":
            subjects.append(f"'{related._meta.label_lower}:' || {row}.{field.column}")
    return f"array_remove(ARRAY[{', '.join(subjects)}], NULL)"


def _deployment(model: Any, row: str) -> str:
    path = _path(model)
    if not path:
        return "NULL::bigint"
    if path == "pk":
        return f"{row}.id"
    *parents, last = path.split("__")
    if not parents:
        return f"{row}.{model._meta.get_field(last).column}"
    (through,) = parents  # a log that needs two lookups a row would be slow
    field = model._meta.get_field(through)
    parent = field.remote_field.model._meta
    column = parent.get_field(last).column
    return f"(SELECT parent.{column} FROM {parent.db_table} parent WHERE parent.id = {row}.{field.column})"


def _path(model: Any) -> str:
    """The path from rows of ``model`` to their deployment. Only the real class has it, not the one of migrations."""
    return str(getattr(apps.get_model(model._meta.label), "deployment_path", ""))


def audited_models() -> list[type[Model]]:
    """The models whose changes are in the log."""
    return [model for model in apps.get_models() if _audits(model)]


@cache
def deployments() -> type[Model]:
    """The model of the deployments, which are in a room above."""
    (model,) = (model for model in apps.get_models() if _path(model) == "pk")
    return model


@cache
def parents_first() -> list[type[Model]]:
    """The models whose changes are in the log, each after those that its rows refer to.

    Of a circle, the foreign key that is set to null goes unheeded.
    """
    models = audited_models()

    def parents(model: Any, *, heeding_nulls: bool) -> list[type[Model]]:
        keys = [
            field for field in _foreign_keys(model) if heeding_nulls or field.remote_field.on_delete is not SET_NULL
        ]
        related = [field.remote_field.model for field in keys]
        return [parent for parent in related if parent in models and parent is not model]

    def above(model: type[Model]) -> set[type[Model]]:
        found: set[type[Model]] = set()
        waiting = [model]
        while waiting:
            new = {*parents(waiting.pop(), heeding_nulls=False)} - found
            found |= new
            waiting += new
        return found

    ordered: list[type[Model]] = []

    def visit(model: type[Model]) -> None:
        if model not in ordered:
            for parent in parents(model, heeding_nulls=True):
                if model not in above(parent):
                    visit(parent)
            ordered.append(model)

    for model in models:
        visit(model)
    return ordered


def is_named(model: type[Model]) -> bool:
    """Whether the log calls the rows of ``model`` by a name of their own."""
    return any(trigger.naming for trigger in _audits(model))


def _audits(model: type[Model]) -> list[_Audit]:
    return [trigger for trigger in getattr(model._meta, "triggers", ()) if isinstance(trigger, _Audit)]
