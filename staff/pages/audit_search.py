"""Finding the newest entries of the audit log that fit some conditions, in a bounded time.

PostgreSQL takes conditions for independent of each other and of time. Where many entries fit each condition and none
fits all, or none but those of long ago fit, it reads every entry that fits one, or all that are newer. So the condition
that fewest entries fit leads here, and at most LOOKED_AT of the newest entries that fit it are looked at. The page says
so, and a link looks further back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.contrib.postgres.lookups import Overlap
from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import Col
from django.db.models.lookups import Exact, In
from django.db.models.sql.where import WhereNode

from audit.models import AuditEntry
from staff.toolkit.lists import COUNTED, counts
from staff.toolkit.search import among

LOOKED_AT = 10_000
IN_ORDER = ("group_id", "actor_name", "deployment_id", "model", "action", "actor_kind")
"""Columns with an index of (column, id), which has the newest entries of a value together; mostly rare values first."""
MAX_VALUES = 50
"""Values of one column whose newest entries are looked up one after the other."""

_FITTING = """
    SELECT id FROM audit_auditentry
    WHERE id = ANY (ARRAY(SELECT DISTINCT pk FROM ({leading}) ids)) AND {conditions}
    ORDER BY id DESC LIMIT %s
"""
"""PostgreSQL takes such an array for a short one, so it looks up each id, whatever it estimates of the conditions."""


class Found(NamedTuple):
    """The newest entries that fit; ``oldest`` is the last one looked at, None if nothing was left out."""

    entries: QuerySet[AuditEntry]
    oldest: AuditEntry | None = None


def newest(entries: QuerySet[AuditEntry]) -> Found:
    """The newest of ``entries``, as many as a list shows."""
    conditions = _conditions(entries)
    within = _with(AuditEntry.objects.order_by(), conditions.pop("id", []))
    at = conditions.pop("at", [])  # its filter bounds the ids as well, by which all indexes go on
    if not conditions:
        return Found(entries)
    each = [_some(within, column, nodes) for column, nodes in conditions.items()]
    leader: str | None
    number, leader, leading = min(zip(counts(each), conditions, each, strict=True))
    is_whole = number <= LOOKED_AT
    if not is_whole:
        walkable = {column: _values(column, nodes) for column, nodes in conditions.items()}
        leader = next((column for column in IN_ORDER if walkable.get(column)), None)
        walked: Any = _newest_first(within, leader, walkable[leader]) if leader else within.order_by("-pk").values("pk")
        leading = walked[:LOOKED_AT]
    others = [node for column, nodes in conditions.items() if column != leader for node in nodes]
    ids = _fitting(leading, _with(within, [*at, *others]))
    shown = entries.all()
    shown.query.where = type(shown.query.where)()
    found = shown.filter(among(ids))
    if is_whole or len(ids) > COUNTED:
        return Found(found)
    return Found(found, AuditEntry.objects.filter(pk__in=walked[LOOKED_AT - 1 : LOOKED_AT]).first())


def _conditions(entries: QuerySet[AuditEntry]) -> dict[str, list[Any]]:
    """The conditions that ``entries`` fit, all of which hold, by the names of their columns."""
    where = entries.query.where
    nodes = where.children if where.connector == "AND" and not where.negated else [where]
    found = defaultdict(list)
    for node in nodes:
        found[" ".join(sorted(set(_columns(node))))].append(node)
    return dict(found)


def _columns(node: Any) -> Iterator[str]:
    if isinstance(node, Col):
        yield str(node.target.column)
    for part in getattr(node, "get_source_expressions", list)():
        yield from _columns(part)


def _with(rows: QuerySet[AuditEntry], nodes: list[Any]) -> QuerySet[AuditEntry]:
    rows = rows.all()
    for node in nodes:
        rows.query.where.add(node, "AND")
    return rows


def _some(within: QuerySet[AuditEntry], column: str, nodes: list[Any]) -> Any:
    """The ids of the entries that fit ``nodes``, at most one more than LOOKED_AT; an id may come twice.

    Where one of several conditions is enough, each is looked for by itself: for all, PostgreSQL would find all entries.
    """
    most = LOOKED_AT + 1
    if values := _values(column, nodes):
        return _newest_first(within, column, values)[:most]
    rows = within if column in IN_ORDER else AuditEntry.objects.order_by()
    first, *others = (_with(rows, each).values("pk")[:most] for each in _alternatives(nodes))
    return first.union(*others, all=True)[:most] if others else first


def _values(column: str, nodes: list[Any]) -> list[Any]:
    """The values that all ``nodes`` allow in ``column``, along which to walk in its index; none if that can't be done.

    It can be done along few values of a column in IN_ORDER, if each node names those that it allows.
    """
    if column not in IN_ORDER:
        return []
    first, *others = (
        [node.rhs] if isinstance(node, Exact) else list(node.rhs) if isinstance(node, In) else [] for node in nodes
    )
    values = [value for value in dict.fromkeys(first) if value is not None and all(value in more for more in others)]
    return values if len(values) <= MAX_VALUES else []


def _alternatives(nodes: list[Any]) -> list[list[Any]]:
    """Conditions of which one is enough, for all of ``nodes``."""
    node, *more = nodes
    if more:
        return [nodes]
    if isinstance(node, WhereNode) and node.connector == "OR" and not node.negated:
        return [[child] for child in node.children]
    if isinstance(node, Overlap) and node.rhs:
        contains: Any = node.lhs.output_field.get_lookup("contains")
        return [[contains(node.lhs, [element])] for element in node.rhs.get_source_expressions()]
    return [nodes]


def _newest_first(within: QuerySet[AuditEntry], column: str, values: list[Any]) -> Any:
    """The ids of the entries with one of ``values`` in ``column``."""
    each = [_of_value(within, column, value) for value in values]
    if len(each) == 1:
        return each[0]
    first, *others = (ids[: LOOKED_AT + 1] for ids in each)
    return first.union(*others, all=True).order_by("-pk")


def _of_value(within: QuerySet[AuditEntry], column: str, value: Any) -> Any:
    # A range, sorted by the column first, which is no order of the primary key: along that, PostgreSQL would read all
    # that is newer where the entries are of long ago.
    return within.filter(**{f"{column}__gte": value, f"{column}__lte": value}).order_by(column, "-pk").values("pk")


def _fitting(leading: Any, entries: QuerySet[AuditEntry]) -> list[int]:
    """The ids of ``entries`` among those of ``leading``, newest first, one more than a list counts."""
    try:
        looked_at, params = leading.query.sql_with_params()
        conditions, values = entries.query.get_compiler(connection=connection).compile(entries.query.where)
    except EmptyResultSet:
        return []
    except FullResultSet:
        conditions, values = "true", ()
    statement = _FITTING.replace("{leading}", looked_at).replace("{conditions}", conditions)
    with connection.cursor() as cursor:
        cursor.execute(statement, [*params, *values, COUNTED + 1])
        return [pk for (pk,) in cursor]
