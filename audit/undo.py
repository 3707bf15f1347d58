"""Undo: the rows that an action changed, or that one entry is about, become what they were before.

The entries are reversed newest first, so that the states on the way are those that the database was in before. Rows
that were added one after another, of whatever tables, are deleted by one statement a table, children first; deleted
rows are added again in the same way, parents first. The entries of one statement need that order, too: where it deletes
children by cascade, or sets a column to null, the log has its own rows first. Triggers that write rows of other tables
are silent meanwhile: the log has those rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from django.db import DatabaseError, OperationalError, connection, transaction

from audit.models import AuditEntry, model_of
from audit.triggers import Kept, kept, parents_first, triggers_restored_by_undo
from audit.undo_reasons import added_since, changed_since, described, is_busy, reason_of

SHOWN = 200
"""Rows that are named, and reasons that a refusal gives; the others are counted."""
MAX_STATEMENTS = 2_000
"""The limit of one undo. An import or bulk action takes about ten."""
TABLE = "undone"
"""The entries that are undone: a temporary table of the transaction."""

ENDS = "ended sessions and sign-ins stay ended"
SECRET = "the audit log does not hold secrets"  # noqa: S105 - a sentence, no password
LOST = "their files are gone"
GONE = "the service has no such rows any more"
ERASED = "their content was erased"
FINAL = "what has ended for good, such as a revoked key or a used code, does not begin again"
_ENDED = """
    action = 'changed'
    AND EXISTS (SELECT FROM unnest(%s::text[]) ended WHERE before ->> ended IS NULL AND after ->> ended IS NOT NULL)
"""


HELD = "is being changed by somebody else at this moment: try again"


class CannotUndo(Exception):
    """Nothing is undone, for the ``reasons``. The cause may be a refusal of the database, which they are about."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)
        super().__init__("\n".join(reasons))


class Step(NamedTuple):
    """The entries that one statement reverses."""

    run: int
    place: int
    turn: int
    model: str
    action: str
    number: int


class LeftOut(NamedTuple):
    """Rows that an undo leaves as they are, and why."""

    model: str
    number: int
    reason: str


_COLLECT = f"""
    DROP TABLE IF EXISTS {TABLE};
    CREATE TEMPORARY TABLE {TABLE} ON COMMIT DROP AS
    WITH ranked (model, rank) AS (
        SELECT * FROM unnest(%(models)s::text[]) WITH ORDINALITY
    ), chosen AS (
        SELECT entry.*, coalesce(ranked.rank, 0) AS rank,
            CASE action WHEN 'added' THEN 1 WHEN 'deleted' THEN 2 ELSE 3 END AS phase
        FROM audit_auditentry entry LEFT JOIN ranked USING (model) WHERE {{which}}
    ), begun AS (
        SELECT *, phase IS DISTINCT FROM lag(phase) OVER backwards AS begins
        FROM chosen WINDOW backwards AS (ORDER BY at DESC, phase, id DESC)
    ), runs AS (
        SELECT *, count(*) FILTER (WHERE begins) OVER (ORDER BY at DESC, phase, id DESC) AS run FROM begun
    )
    SELECT id, at, action, model, object_id, name, deployment_id, before, after, erased_at, NULL::text AS left_out, run,
        CASE action WHEN 'added' THEN -rank ELSE rank END AS place,
        row_number() OVER (PARTITION BY run, model, object_id ORDER BY id DESC) AS turn
    FROM runs;
    CREATE INDEX ON {TABLE} (run, place, turn);
    CREATE INDEX ON {TABLE} (object_id);
    ANALYZE {TABLE};
"""
_CHANGED_SINCE = f"""
    SELECT later.id FROM (
        SELECT model, object_id, max(id) AS id FROM {TABLE} WHERE left_out IS NULL GROUP BY 1, 2
    ) row
    JOIN audit_auditentry later ON later.object_id = row.object_id AND later.model = row.model AND later.id > row.id
    ORDER BY later.id LIMIT {SHOWN}
"""
_ADDED_SINCE = f"""
    SELECT entry.id FROM audit_auditentry entry
    WHERE entry.group_id = audit_group() AND entry.id > %s AND NOT EXISTS (
        SELECT 1 FROM {TABLE} u WHERE u.model = entry.model AND u.object_id = entry.object_id
    )
    ORDER BY entry.id LIMIT {SHOWN}
"""
_OF_STEP = "u.run = %(run)s AND u.place = %(place)s AND u.turn = %(turn)s AND u.left_out IS NULL"
_BETWEEN = "u.id BETWEEN %(first)s AND %(last)s"


class Undo:
    """The undo of the entries of a group, or of one entry; it is used within one transaction."""

    def __init__(self, *, group_id: UUID | None = None, entry_id: int | None = None) -> None:
        which = "group_id = %(group)s" if entry_id is None else "id = %(entry)s"
        models = [model._meta.label_lower for model in parents_first()]
        _execute(_COLLECT.format(which=which), {"models": models, "group": group_id, "entry": entry_id})
        self._kept: dict[str, tuple[Any, Kept]] = {}
        labels = [label for (label,) in _rows(f"SELECT DISTINCT model FROM {TABLE} ORDER BY 1")]
        self._leave_out([condition for label in labels for condition in self._irreversible(label)])

    def deployments(self) -> set[int | None]:
        """The ids of the deployments whose rows it changes; None stands for rows of no deployment."""
        return {pk for (pk,) in _rows(f"SELECT DISTINCT deployment_id FROM {TABLE} WHERE left_out IS NULL")}

    def kinds(self) -> list[tuple[Any, str]]:
        """The models and actions that it reverses."""
        found = _rows(f"SELECT DISTINCT model, action FROM {TABLE} WHERE left_out IS NULL ORDER BY 1, 2")
        return [(self._kept[label][0], action) for label, action in found]

    def changed(self, model: Any) -> list[int]:
        """The ids of the rows of ``model`` whose changes it reverses, without those that it adds or deletes."""
        ids = f"SELECT DISTINCT object_id FROM {TABLE} WHERE model = %s AND action = 'changed' AND left_out IS NULL"
        return [pk for (pk,) in _rows(ids, [model._meta.label_lower])]

    def leave_out(self, label: str, reason: str) -> None:
        """Leave the rows of the model ``label`` as they are."""
        self._leave_out([(label, reason, "true")])

    def _leave_out(self, conditions: list[Any]) -> None:
        """Leave rows as they are that fit a condition, which is a model's label, the reason, SQL, and values for it.

        The first that a row fits gives the reason.
        """
        if conditions:
            cases = " ".join(f"WHEN model = %s AND ({condition}) THEN %s" for _, _, condition, *_ in conditions)
            _execute(
                f"""
                UPDATE {TABLE} SET left_out = found.reason
                FROM (SELECT id, CASE {cases} END AS reason FROM {TABLE} WHERE left_out IS NULL) found
                WHERE {TABLE}.id = found.id AND found.reason IS NOT NULL
                """,
                [value for label, reason, _, *values in conditions for value in (label, *values, reason)],
            )

    def left_out(self) -> list[LeftOut]:
        counted = f"SELECT model, count(*), left_out FROM {TABLE} WHERE left_out IS NOT NULL"
        return [LeftOut(*row) for row in _rows(f"{counted} GROUP BY 1, 3 ORDER BY 1, 3")]

    def without_secrets(self) -> list[LeftOut]:
        """Deleted rows that come back, but without a secret."""
        found = []
        for label, (_, columns) in self._kept.items():
            if columns.secret:
                counted = f"SELECT count(*) FROM {TABLE} WHERE model = %s AND action = 'deleted' AND left_out IS NULL"
                ((number,),) = _rows(f"{counted} AND ({_holds(columns.secret)})", [label])
                found += [LeftOut(label, number, SECRET)] if number else []
        return found

    def number(self) -> int:
        """The number of entries that it reverses."""
        return sum(step.number for step in self._steps())

    def shown(self) -> list[int]:
        """The ids of the first entries that it reverses."""
        return [pk for (pk,) in _rows(f"SELECT id FROM {TABLE} WHERE left_out IS NULL ORDER BY 1 DESC LIMIT {SHOWN}")]

    def run(self) -> None:
        """Do it, and check the rules that hold at the end of a transaction; raises ``CannotUndo``.

        If it waits in vain for others, the error of the database is one that ``is_busy``.
        """
        steps = self._steps()
        if len(steps) > MAX_STATEMENTS:
            raise CannotUndo(f"These are more than {MAX_STATEMENTS:,} changes one after another: undo some of them.")
        self._lock()
        if later := _rows(_CHANGED_SINCE):
            raise CannotUndo(*changed_since(_entries(later)))
        ((newest,),) = _rows("SELECT coalesce(max(id), 0) FROM audit_auditentry")
        ((ignored,),) = _rows("SELECT coalesce(current_setting('pgtrigger.ignore', true), '')")
        _execute("SELECT set_config('pgtrigger.ignore', %s::text[]::text, true)", [triggers_restored_by_undo()])
        columns = self._columns()
        for step in steps:
            self._reverse(step, columns[step.model, step.action])
        self._check_the_end()
        _execute("SELECT set_config('pgtrigger.ignore', %s, true)", [ignored])
        if added := _rows(_ADDED_SINCE, [newest]):
            raise CannotUndo(*added_since(_entries(added)))

    def _irreversible(self, label: str) -> Iterator[Any]:
        """The conditions of ``_leave_out`` for entries of the model ``label`` that nothing can reverse."""
        model = model_of(label)
        columns = None if model is None else kept(model)
        if model is None or columns is None:
            yield label, GONE, "true"
            return
        self._kept[label] = (model, columns)
        if columns.only_ends:
            yield label, ENDS, "true"
        yield label, ERASED, "erased_at IS NOT NULL"
        yield label, FINAL, _ENDED, list(columns.final)
        for hidden, reason in ((columns.secret, SECRET), ((*columns.secret, *columns.lost), LOST)):
            nothing_else = "action = 'changed' AND before - %s::text[] = '{}' AND after - %s::text[] = '{}'"
            yield label, reason, nothing_else, list(hidden), list(hidden)
        optional = [field.column for field in model._meta.concrete_fields if field.has_db_default()]
        if secrets := [column for column in columns.secret if column not in optional]:
            yield label, SECRET, f"action = 'deleted' AND ({_holds(secrets)})"

    def _steps(self) -> list[Step]:
        counted = f"SELECT run, place, turn, model, action, count(*) FROM {TABLE} WHERE left_out IS NULL"
        return [Step(*row) for row in _rows(f"{counted} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3")]

    def _lock(self) -> None:
        """Lock the rows as they are now; raises ``CannotUndo`` with those that another transaction keeps too long."""
        label, rows = "", ""
        try:
            with transaction.atomic():
                for label, (model, _) in self._kept.items():
                    ids = f"SELECT object_id FROM {TABLE} WHERE model = %s AND left_out IS NULL"
                    rows = f"SELECT id FROM {_table(model)} WHERE id IN ({ids}) ORDER BY id FOR UPDATE"
                    _execute(rows, [label])
        except OperationalError as error:
            if not is_busy(error):
                raise
            held = _rows(
                f"""
                WITH free AS MATERIALIZED ({rows} SKIP LOCKED)
                SELECT DISTINCT u.model, u.object_id, u.name
                FROM {TABLE} u JOIN {_table(self._kept[label][0])} t ON t.id = u.object_id
                WHERE u.model = %s AND u.left_out IS NULL AND t.id NOT IN (SELECT id FROM free)
                ORDER BY 2 LIMIT {SHOWN}
                """,
                [label, label],
            )
            if not held:  # any more
                raise
            raise CannotUndo(*(f"{described(*row)} {HELD}." for row in held)) from error

    def _columns(self) -> dict[tuple[str, str], list[str]]:
        """The columns to restore, by model and action: those that the entries have and the table still has."""
        keys = _rows(
            "SELECT model, action, array_agg(DISTINCT key) "
            f"FROM {TABLE}, jsonb_object_keys(coalesce(before, after)) key WHERE left_out IS NULL GROUP BY 1, 2"
        )
        return {
            (label, action): [column for column in self._kept[label][1].restorable if column in found]
            for label, action, found in keys
        }

    def _reverse(self, step: Step, columns: list[str]) -> None:
        model, kept_columns = self._kept[step.model]
        statement = _statement(step.action, _table(model), columns, kept_columns)
        values = {
            "run": step.run,
            "place": step.place,
            "turn": step.turn,
            "hidden": [*kept_columns.secret, *kept_columns.lost],
        }
        try:
            with transaction.atomic():
                number = _execute(statement, {**values, "first": 0, "last": 2**63 - 1})
        except DatabaseError as error:
            self._refuse(statement, values, error)
        if number != step.number:
            self._refuse_mismatches(_table(model), values)

    def _check_the_end(self) -> None:
        try:
            with transaction.atomic():
                connection.check_constraints()
        except DatabaseError as error:
            if is_busy(error):
                raise
            key, reason = reason_of(error)
            rows = [
                described(*row)
                for row in _rows(
                    f"SELECT model, object_id, name FROM {TABLE} WHERE object_id = %s AND action = 'added'", [key]
                )
            ]
            raise CannotUndo(*([f"{row} {reason}." for row in rows] if reason else [])) from error

    def _refuse(self, statement: str, values: dict[str, Any], error: DatabaseError) -> None:
        """Raise the refusal of the first row, found by halves, that the database does not take."""
        if is_busy(error):
            raise error
        rows = _rows(f"SELECT id, model, object_id, name FROM {TABLE} u WHERE {_OF_STEP} ORDER BY id", values)
        while len(rows) > 1:
            half = rows[: len(rows) // 2]
            try:
                with transaction.atomic():
                    _execute(statement, {**values, "first": half[0][0], "last": half[-1][0]})
                    transaction.set_rollback(True)
                rows = rows[len(half) :]
            except DatabaseError as refusal:
                error, rows = refusal, half
        row = described(*rows[0][1:])
        _, reason = reason_of(error)
        raise CannotUndo(f"{row} {reason}." if reason else f"{row}:") from error

    def _refuse_mismatches(self, table: str, values: dict[str, Any]) -> None:
        """Raise the refusal for rows with changes that the log does not have, such as with its triggers off."""
        rows = _rows(
            f"""
            SELECT u.model, u.object_id, u.name, t.id IS NULL FROM {TABLE} u LEFT JOIN {table} t ON t.id = u.object_id
            WHERE {_OF_STEP} AND (t.id IS NULL OR NOT {_is_as_left()}) ORDER BY u.id LIMIT {SHOWN}
            """,
            values,
        )
        raise CannotUndo(
            *(f"{described(*row)} {'is gone' if is_gone else 'is not as this left it'}." for *row, is_gone in rows)
        )


def _statement(action: str, table: str, columns: list[str], hidden: Kept) -> str:
    """The statement that reverses the entries of a step with the given ``action``."""
    names = ", ".join(map(_quoted, columns))
    values = ", ".join(f"r.{_quoted(column)}" for column in columns)
    if action == AuditEntry.Action.DELETED:
        return f"""
            INSERT INTO {table} ({names})
            SELECT {values} FROM {TABLE} u, jsonb_populate_record(NULL::{table}, u.before - %(hidden)s::text[]) r
            WHERE {_OF_STEP} AND {_BETWEEN} ORDER BY u.id
        """
    which = f"{_OF_STEP} AND {_BETWEEN} AND t.id = u.object_id AND {_is_as_left()}"
    if action == AuditEntry.Action.ADDED:
        return f"DELETE FROM {table} t USING {TABLE} u WHERE {which}"
    return f"""
        UPDATE {table} t SET ({names}) = (SELECT {values} FROM jsonb_populate_record(t, u.before) r)
        FROM {TABLE} u WHERE {which}
    """


def _is_as_left() -> str:
    """SQL: whether the row ``t`` still has the values that the entry ``u`` has left it with.

    Compared as a row, not as JSON: that writes a moment in the time zone of its session.
    """
    return "jsonb_populate_record(t, u.after - %(hidden)s::text[]) = t"


def _holds(secrets: Iterable[str]) -> str:
    """SQL: whether a deleted row had one of ``secrets``, which the log shows as a mark alone."""
    return " OR ".join(f"before ->> '{column}' <> ''" for column in secrets)


def _entries(rows: Iterable[tuple[int]]) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(pk__in=[pk for (pk,) in rows]).order_by("pk"))


def _table(model: Any) -> str:
    return _quoted(model._meta.db_table)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _rows(statement: str, values: Any = ()) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _execute(statement: str, values: Any = ()) -> int:
    """The number of rows that the ``statement`` changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)
