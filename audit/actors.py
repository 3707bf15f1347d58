"""The actor and the action, sent to the database with each change, so that its triggers can write them into the log.

Both travel in the same round trip as the statement that changes something, as settings that are local to the
transaction; reading costs nothing. Without an actor, the triggers name the database role, and the changes of one
transaction are one action. Entries of the same action have the same ``group_id``; ``audit.groups`` names it.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any, TypedDict, cast
from uuid import UUID

import psycopg
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import LazyObject, empty

_SET = "SELECT set_config('rollcall.actor', {}, true)"
_SET_GROUP = ", set_config('rollcall.group', '{}', true)"
_CHANGES = re.compile(
    r"\s*(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|WITH\b.*\b(INSERT\s+INTO|UPDATE\s.*\bSET|DELETE\s+FROM|MERGE\s+INTO))\b",
    re.IGNORECASE | re.DOTALL,
)


class Actor(TypedDict):
    """``kind`` is one of ``AuditEntry.ActorKind``; ``address`` the client's, None if there is none."""

    kind: str
    id: int | None
    name: str
    address: str | None


class _Action:
    """An action, such as a request; most change nothing, so its id is made when the first change needs it."""

    def __init__(self, actor: Callable[[], Actor]) -> None:
        self.actor = actor

    @cached_property
    def group_id(self) -> UUID:
        """A UUID of version 7 (RFC 9562, 5.7): the ids of one time lie together in the index."""
        value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
        return UUID(int=value & ~(0xF << 76) & ~(3 << 62) | 7 << 76 | 2 << 62)


_current: ContextVar[_Action | None] = ContextVar("action", default=None)


@contextmanager
def acting(actor: Callable[[], Actor]) -> Iterator[None]:
    """The block is one action: all its changes are logged as such, under the actor that ``actor`` gives by then."""
    token = _current.set(_Action(actor))
    try:
        yield
    finally:
        _current.reset(token)


def current_group() -> UUID | None:
    """The ``group_id`` of the changes of the present action; None if nobody acts."""
    action = _current.get()
    return None if action is None else action.group_id


def command(name: str) -> Callable[[], Actor]:
    """The management command ``name`` as an actor."""
    return lambda: {"kind": "command", "id": None, "name": name, "address": None}


def sender_of(request: HttpRequest) -> Callable[[], Actor]:
    """The sender of ``request`` as an actor, as far as known by then: signing in turns a visitor into a user."""

    def actor() -> Actor:
        address = getattr(request, "client_address", None)
        sender: Actor = {"kind": "visitor", "id": None, "name": "", "address": address and str(address)}
        if (user := _user_of(request)) is not None:
            sender["kind"] = getattr(user, "actor_kind", "staff")
            sender["id"], sender["name"] = user.pk, str(user)
        return sender

    return actor


class ActorMiddleware:
    """Logs changes during a request under its sender."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with acting(sender_of(request)):
            return self.get_response(request)


def tell_database(connection: BaseDatabaseWrapper) -> None:
    """Send the actor to the database for the rest of the transaction: for COPY, which passes by Django's cursors."""
    with connection.cursor() as cursor:
        cursor.execute(_statement("%s"), [_said()])


def _said() -> str:
    action = _current.get()
    return "" if action is None else json.dumps(action.actor())


def _statement(said: str) -> str:
    """The statement that sends ``said``; where nobody acts, the changes of a transaction stay together."""
    action = _current.get()
    return _SET.format(said) + ("" if action is None else _SET_GROUP.format(action.group_id))


def on_connection_created(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Have every change over ``connection`` carry its actor."""
    if _with_actor not in connection.execute_wrappers:
        connection.execute_wrappers.append(_with_actor)


def _with_actor(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    if not (isinstance(sql, str) and _CHANGES.match(sql)):
        return execute(sql, params, many, context)
    connection, cursor = context["connection"], context["cursor"]
    said = _said()  # even if nobody acts: somebody may have acted earlier in the transaction
    if many or not isinstance(cursor.cursor, psycopg.ClientCursor):
        # Several statements in one are sent only with the values in their text.
        with transaction.atomic(using=connection.alias, savepoint=False):
            cursor.execute(_statement("%s"), [said])
            return execute(sql, params, many, context)
    literal = cursor.cursor.mogrify("%s", [said])
    if params is not None:
        literal = literal.replace("%", "%%")
    result = execute(f"{_statement(literal)};{sql}", params, many, context)
    cursor.nextset()
    return result


def _user_of(request: HttpRequest) -> Any:
    """The user of the request, if already loaded: loading would be another query."""
    user = request.__dict__.get("user")
    if isinstance(user, LazyObject) and cast(Any, user)._wrapped is empty:
        return None
    if user is None and (session := getattr(request.__dict__.get("auth"), "session", None)) is not None:
        active = session._state.fields_cache.get("active_sign_in")
        return active and active.user
    return user if getattr(user, "pk", None) else None
