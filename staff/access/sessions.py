"""The sessions of staff: SESSION_ENGINE names this."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends import db
from django.utils import timezone

from database.prepared import Statement, read

_SESSION = Statement(
    "SELECT session_data FROM django_session WHERE session_key = %(key)s AND expire_date > %(now)s::timestamptz"
)


class SessionStore(db.SessionStore):
    """Django's own, but a prepared statement reads a session, since every page begins with that."""

    def load(self) -> dict[str, Any]:
        key = str(self.session_key)
        if key.isascii() and key.isalnum():  # Django makes no other keys, and libpq would cut a text at a NUL
            found = read(_SESSION, {"key": key.encode(), "now": timezone.now().isoformat().encode()}).rows()
            if found:
                session: dict[str, Any] = self.decode(found[0][0])
                return session
        self._session_key = None
        return {}
