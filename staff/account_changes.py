"""The steps that follow a change of users by staff, whether by the form or by an undo."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from accounts.authentication import sessions
from accounts.mail import notices
from accounts.models import SignIn, User
from accounts.values.mail_texts import Template

EXTERNAL_ID = ("external_id", "external_issuer")
"""The columns by which an outside issuer names a user: a change of them signs the user out."""


def follow_up(changed: Iterable[tuple[User, str]], *, signs_out: Collection[User]) -> list[SignIn]:
    """Mail the earlier main address of each user that has another now, and end all sign-ins of ``signs_out``.

    ``changed`` are users as they are now, each with the main address before. Gives the ended sign-ins. Call it in the
    transaction of the change.
    """
    for user, before in changed:
        if before and before != user.email:
            text = f"Your main address is {user.email} now." if user.email else f"The address {before} was removed."
            notices.send(user, Template.ADDRESS_CHANGED, address=notices.STAFF, to=before, change=text)
    return sessions.sign_out_everywhere(signs_out) if signs_out else []
