"""The viewer of an answer: all of a caller that an answer may depend on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.authentication.sessions import Caller, SignedIn, kept_serial
from accounts.models import Deployment
from api.answers import json_text


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller to whom an answer is shown; nobody need be signed in."""

    deployment: Deployment
    session_id: int
    sign_in_id: int | None
    """The user of the active sign-in; None if nobody is signed in."""
    user_id: int
    """0 if nobody is signed in."""
    has_mfa: bool
    session: bytes
    """As JSON text."""
    version: bytes
    """Stands for all that was read of them: what has changed has another."""
    expires_at: datetime
    """When the session or its active sign-in ends."""
    kept_serial: int | None
    """See ``accounts.authentication.sessions.kept_serial``."""


def viewer_of(caller: Caller, version: bytes = b"") -> Viewer:
    """``caller`` as a viewer."""
    signed_in = caller if isinstance(caller, SignedIn) else None
    ends = [caller.session.expires_at, *([signed_in.sign_in.expires_at] if signed_in else [])]
    return Viewer(
        deployment=caller.deployment,
        session_id=caller.session.pk,
        sign_in_id=signed_in.sign_in.pk if signed_in else None,
        user_id=signed_in.user.pk if signed_in else 0,
        has_mfa=signed_in is not None and signed_in.has_mfa,
        session=json_text(caller.session_summary),
        version=version,
        expires_at=min(ends),
        kept_serial=kept_serial(caller.session),
    )
