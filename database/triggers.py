"""Triggers for the rules that neither a foreign key nor a check can say. Each fails as a constraint would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pgtrigger

CHECK_VIOLATION = "23514"
"""The SQLSTATE that makes a refusal an ``IntegrityError`` in Django, as that of any other constraint."""


def refuse(constraint: str, message: str) -> str:
    """The PL/pgSQL statement that refuses the change, naming ``constraint``."""
    return f"RAISE EXCEPTION '{message}' USING ERRCODE = '{CHECK_VIOLATION}', CONSTRAINT = '{constraint}';"


def immutable(*fields: str) -> pgtrigger.Trigger:
    """Refuse an update that changes one of ``fields``: what a row belongs to is its identity.

    The other rules read what a parent row belongs to; they are safe against concurrent writes because it never changes.
    """
    return pgtrigger.Trigger(
        name="immutable",
        operation=pgtrigger.Update,
        when=pgtrigger.Before,
        condition=pgtrigger.AnyChange(*fields),
        func=refuse("immutable", f"{', '.join(fields)} cannot change; delete the row and make a new one"),
    )


def touch(*, ignoring: Sequence[str] = ()) -> pgtrigger.Trigger:
    """Set ``updated_at`` when the row changes in fields other than ``ignoring``."""
    return pgtrigger.Trigger(
        name="touch",
        operation=pgtrigger.Update,
        when=pgtrigger.Before,
        condition=pgtrigger.AnyChange(exclude=["updated_at", *ignoring]),
        func="NEW.updated_at := statement_timestamp(); RETURN NEW;",
    )


def must_match(name: str, condition: str, message: str, *, one_at_a_time: str = "") -> pgtrigger.Trigger:
    """Refuse a row for which the query ``condition`` (over ``NEW``) finds nothing.

    Where ``condition`` depends on rows that others may be writing, ``one_at_a_time`` is the text (over ``NEW``) for
    which one transaction at a time may write.
    """
    lock = f"PERFORM pg_advisory_xact_lock(hashtextextended({one_at_a_time}, 0)); " if one_at_a_time else ""
    return pgtrigger.Trigger(
        name=name,
        operation=pgtrigger.Insert | pgtrigger.Update,
        when=pgtrigger.Before,
        func=f"{lock}IF NOT EXISTS ({condition}) THEN {refuse(name, message)} END IF; RETURN NEW;",
    )


def after_statement(
    name: str, operation: pgtrigger.Operation, func: str, *, referencing: dict[str, str] | None = None, **options: Any
) -> pgtrigger.Trigger:
    """Run ``func`` once after each statement, over the transition tables of ``referencing``: "old" and "new"."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        func=func,
        referencing=pgtrigger.Referencing(**referencing) if referencing else None,
        **options,
    )


def count_rows_in(parent_table: str, foreign_key: str) -> list[pgtrigger.Trigger]:
    """Keep ``parent_table.member_count`` equal to the number of this table's rows, one update per statement.

    The parents are locked in the order of their ids, so that two bulk statements cannot deadlock on them.
    """

    def recount(rows: str, sign: str) -> str:
        return f"""
            PERFORM 1 FROM {parent_table} WHERE id IN (SELECT {foreign_key} FROM {rows})
                ORDER BY id FOR NO KEY UPDATE;
            UPDATE {parent_table} parent SET member_count = parent.member_count {sign} changed.number
                FROM (SELECT {foreign_key} AS id, count(*) AS number FROM {rows} GROUP BY 1) changed
                WHERE parent.id = changed.id;
            RETURN NULL;
        """

    reset = f"UPDATE {parent_table} SET member_count = 0 WHERE member_count <> 0; RETURN NULL;"
    return [
        after_statement("count_inserted", pgtrigger.Insert, recount("inserted", "+"), referencing={"new": "inserted"}),
        after_statement("count_deleted", pgtrigger.Delete, recount("deleted", "-"), referencing={"old": "deleted"}),
        after_statement("count_truncated", pgtrigger.Truncate, reset),
    ]


def own_member_count() -> list[pgtrigger.Trigger]:
    """Let nobody but ``count_rows_in`` write ``member_count``.

    Another value is corrected rather than refused: a form that was loaded before somebody joined saves the old one.
    """
    return [
        pgtrigger.Trigger(
            name="member_count_starts_at_zero",
            operation=pgtrigger.Insert,
            when=pgtrigger.Before,
            func="NEW.member_count := 0; RETURN NEW;",
        ),
        pgtrigger.Trigger(
            name="member_count_is_kept",
            operation=pgtrigger.Update,
            when=pgtrigger.Before,
            func="""
                IF pg_trigger_depth() = 1 THEN NEW.member_count := OLD.member_count; END IF;
                RETURN NEW;
            """,
        ),
    ]


Kind = Literal["deployment", "contents", "organization", "workspace", "workspace role", "user", "everything"]
"""The kinds of values that a process caches. "user" stands for all that answers show of a user: their
memberships and their account. "contents" stands for all that is cached of a deployment but itself.
"""
_MANY = 100


def invalidates(
    kind: Kind, key: str = "id", *, joining: str = "", deployment: str = "", inserts: bool = True
) -> list[pgtrigger.Trigger]:
    """Log each change of the table's rows, so that every process evicts the cached value (``database.cache``).

    ``key`` is the SQL of the changed thing's id, over ``changed`` (the rows before and after) and the tables that
    ``joining`` joins; ``deployment`` is the SQL of its deployment's id, null where that is gone. Without ``inserts``
    new rows are not logged: nothing cached can depend on them. A statement that changes more than a hundred things
    makes processes evict all contents of their deployments.
    """
    if deployment:
        many = f"""
            SELECT DISTINCT CASE WHEN place.id IS NULL THEN 'everything' ELSE 'contents' END, coalesce(place.id, 0)
            FROM (SELECT ({deployment}) AS id FROM ({{rows}}) changed {joining}) place
        """
    else:
        many = "VALUES ('everything', 0)"

    def log(rows: str) -> str:
        return f"""
            keys := ARRAY(SELECT DISTINCT {key} FROM ({rows}) changed {joining} LIMIT {_MANY} + 1);
            IF cardinality(keys) > {_MANY} THEN
                INSERT INTO database_invalidation (kind, key) {many.format(rows=rows)};
            ELSIF cardinality(keys) > 0 THEN
                INSERT INTO database_invalidation (kind, key) SELECT '{kind}', unnest(keys);
            END IF;
            RETURN NULL;
        """

    def trigger(name: str, operation: pgtrigger.Operation, rows: str, **referencing: str) -> pgtrigger.Trigger:
        keys = [("keys", "BIGINT[]")]
        return after_statement(f"invalidate_on_{name}", operation, log(rows), declare=keys, referencing=referencing)

    both = "SELECT * FROM old_rows UNION ALL SELECT * FROM new_rows"
    everything = "INSERT INTO database_invalidation (kind, key) VALUES ('everything', 0); RETURN NULL;"
    return [
        *([trigger("insert", pgtrigger.Insert, "SELECT * FROM new_rows", new="new_rows")] if inserts else []),
        trigger("update", pgtrigger.Update, both, old="old_rows", new="new_rows"),
        trigger("delete", pgtrigger.Delete, "SELECT * FROM old_rows", old="old_rows"),
        after_statement("invalidate_on_truncate", pgtrigger.Truncate, everything),
    ]
