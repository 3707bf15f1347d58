"""Invitations by mail: the link has a token, good for some days and for the address that was invited.

Only a keyed hash of the token is kept. To send an invitation again makes a new one, since the old cannot be known.
``SignUpInvitation`` is sent by staff; ``memberships.invitations`` has those to organizations.
"""

from __future__ import annotations

import enum
import secrets
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.credentials import throttling
from accounts.mail import outbox
from accounts.models import Deployment, Invitation, SignUpInvitation, User
from accounts.values import front_ends
from accounts.values.mail_texts import Template

DAYS = 7
MAX_TOKEN = 100
PARAMETER = "invite_token"
"""The parameter of the pages that links lead to, and the field of the sign-up, as the public client libraries name
them.
"""


class Refusal(enum.Enum):
    """A reason for which an invitation is not good, with a sentence for the person who follows its link."""

    UNKNOWN = "This invitation is not known here; ask for a new one."
    EXPIRED = "This invitation has expired; ask for a new one."
    ACCEPTED = "This invitation has been accepted already; sign in."
    DISCARDED = "This invitation was withdrawn; ask for a new one."
    FULL = "There are as many members as there may be; ask whoever invited you."
    VOID = "Whoever invited you may not do so any more; ask for a new invitation."


AnyInvitation = TypeVar("AnyInvitation", bound=Invitation)


@transaction.atomic
def send(invitation: SignUpInvitation) -> None:
    """Save ``invitation``, which may be new, and mail its link; a link that was sent before is void."""
    token = renew(invitation)
    invitation.save()
    outbox.send(
        invitation.deployment,
        to=invitation.email,
        template=Template.SIGN_UP_INVITATION,
        values={"link": link(invitation.deployment, "sign_up_page_url", token), "days": str(DAYS)},
    )


def renew(invitation: Invitation) -> str:
    """A new token for ``invitation``, which is to be saved then; the token before is void with that."""
    token = secrets.token_urlsafe(32)
    invitation.token_hash = _hash(token)
    invitation.expires_at = timezone.now() + timedelta(days=DAYS)
    return token


def find(deployment: Deployment, token: str) -> SignUpInvitation | Refusal:
    """The invitation to sign up that may be accepted with ``token``, or the reason why there is none."""
    invitation = with_token(SignUpInvitation.objects.filter(deployment=deployment), token)
    return refusal_of(invitation) or invitation or Refusal.UNKNOWN


def with_token(rows: QuerySet[AnyInvitation], token: str) -> AnyInvitation | None:
    """The one of ``rows`` that has ``token``."""
    return rows.filter(token_hash=_hash(token)).first()


def refusal_of(invitation: Invitation | None) -> Refusal | None:
    """The reason why ``invitation`` cannot be accepted, None if it can."""
    if invitation is None:
        return Refusal.UNKNOWN
    if invitation.accepted_at is not None:
        return Refusal.ACCEPTED
    return Refusal.EXPIRED if invitation.expires_at <= timezone.now() else None


def is_for(invitation: Invitation, email: str) -> bool:
    """Whether ``email`` is the address that was invited."""
    return throttling.folded(invitation.email) == throttling.folded(email)


def accept(invitation_id: int) -> bool:
    """Whether the invitation to sign up was still open; with that it is accepted."""
    open_one = SignUpInvitation.objects.filter(pk=invitation_id, accepted_at__isnull=True)
    return open_one.update(accepted_at=timezone.now()) == 1


def forget_accepted(user: User) -> None:
    """Delete the invitations that were accepted with the addresses of ``user``: they have a name and an address."""
    own = user.email_addresses.annotate(lowered=Lower("email")).values("lowered")
    accepted = SignUpInvitation.objects.filter(deployment=user.deployment_id, accepted_at__isnull=False)
    accepted.annotate(lowered=Lower("email")).filter(lowered__in=own).delete()


def sweep(*, before: datetime, rows: QuerySet[AnyInvitation] | None = None) -> int:
    """Delete the invitations that expired before ``before``, accepted or not, and give their number."""
    every = SignUpInvitation.objects.all() if rows is None else rows
    return every.filter(expires_at__lt=before).delete()[0]


def link(deployment: Deployment, page: str, token: str) -> str:
    """The ``page`` of ``ui_settings`` with the token in its query, which stands before a fragment."""
    address = urlsplit(front_ends.ui_settings(deployment)[page])
    query = "&".join(filter(None, [address.query, urlencode({PARAMETER: token})]))
    return address._replace(query=query).geturl()


def _hash(token: str) -> str:
    """A keyed hash. A slow one would add nothing: a token has 256 random bits."""
    return salted_hmac("accounts.invitations", token, algorithm="sha256").hexdigest()
