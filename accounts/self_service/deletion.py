"""Deleting one's own account."""

from __future__ import annotations

from accounts.authentication import sessions
from accounts.authentication.sessions import Caller, SignedIn
from accounts.credentials import step_up
from accounts.credentials.step_up import Demand, Proof
from accounts.mail import notices
from accounts.models import User
from accounts.self_service import picture
from accounts.sign_in import invitations
from accounts.values.mail_texts import Template


def delete_account(caller: SignedIn, proof: Proof) -> Caller:
    """Delete the caller's user with all that is theirs, and tell them by mail; returns the caller afterwards.

    That is a visitor, unless somebody else is signed in to the session. Raises ``ApiError`` (400, 401, 403, 429) for
    the ``proof``, and ``IntegrityError`` if the user is the last administrator of an organization.
    """

    def make(user: User) -> None:
        sessions.sign_out_everywhere([user])
        picture.discard(user)
        invitations.forget_accepted(user)
        notices.send(user, Template.ACCOUNT_DELETED, address=proof.address)
        user.delete()

    step_up.change(caller, proof, make, demand=Demand.BOTH)
    return sessions.caller_now(caller)
