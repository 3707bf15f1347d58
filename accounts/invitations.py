"""Invitations to sign up, which staff send: the link has a token, good for some days and for one user.

Only a keyed hash of the token is kept. To send an invitation again makes a new one, since the old cannot be known.
"""

from __future__ import annotations

import enum
import secrets
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts import front_ends, mail, throttling
from accounts.mail_texts import Template
from accounts.models import Deployment, SignUpInvitation

DAYS = 7
MAX_TOKEN = 100
PARAMETER = "invite_token"
"""The parameter of the sign-up page, and the field of the sign-up, as the public client libraries name them."""


class Refusal(enum.Enum):
    """A reason for which an invitation is not good, with a sentence for the person who follows its link."""

    UNKNOWN = "This invitation is not known here; ask for a new one."
    EXPIRED = "This invitation has expired; ask for a new one."
    ACCEPTED = "This invitation has been accepted already; sign in."


@transaction.atomic
def send(invitation: SignUpInvitation) -> None:
    """Save ``invitation``, which may be new, and mail its link; a link that was sent before is void."""
    token = secrets.token_urlsafe(32)
    invitation.token_hash = _hash(token)
    invitation.expires_at = timezone.now() + timedelta(days=DAYS)
    invitation.save()
    mail.send(
        invitation.deployment,
        to=invitation.email,
        template=Template.SIGN_UP_INVITATION,
        values={"link": _link(invitation.deployment, token), "days": str(DAYS)},
    )


def find(deployment: Deployment, token: str) -> SignUpInvitation | Refusal:
    """The invitation that may be accepted with ``token``, or the reason why there is none."""
    invitation = SignUpInvitation.objects.filter(deployment=deployment, token_hash=_hash(token)).first()
    if invitation is None:
        return Refusal.UNKNOWN
    if invitation.accepted_at is not None:
        return Refusal.ACCEPTED
    return Refusal.EXPIRED if invitation.expires_at <= timezone.now() else invitation


def is_for(invitation: SignUpInvitation, email: str) -> bool:
    """Whether ``email`` is the address that was invited."""
    return throttling.folded(invitation.email) == throttling.folded(email)


def accept(invitation_id: int) -> bool:
    """Whether the invitation was still open; with that it is accepted."""
    open_one = SignUpInvitation.objects.filter(pk=invitation_id, accepted_at__isnull=True)
    return open_one.update(accepted_at=timezone.now()) == 1


def _link(deployment: Deployment, token: str) -> str:
    """The sign-up page with the token in its query, which stands before a fragment."""
    page = urlsplit(front_ends.ui_settings(deployment)["sign_up_page_url"])
    query = "&".join(filter(None, [page.query, urlencode({PARAMETER: token})]))
    return page._replace(query=query).geturl()


def _hash(token: str) -> str:
    """A keyed hash. A slow one would add nothing: a token has 256 random bits."""
    return salted_hmac("accounts.invitations", token, algorithm="sha256").hexdigest()
