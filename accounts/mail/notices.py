"""Mails that tell users of a change of their account, so that they notice one that they did not make."""

from __future__ import annotations

from django.utils import timezone

from accounts.mail import outbox
from accounts.models import User
from accounts.values.mail_texts import Template
from api.networks import Address

STAFF = "our support team"
"""In the place of a client's address, where staff made the change."""


def send(user: User, template: Template, *, address: Address | str | None, to: str = "", **values: str) -> None:
    """Mail the notice ``template`` to the address ``to``, or to that of ``user``; to nobody if they have none.

    ``address`` is that of the client that made the change, or ``STAFF``. Call it in the transaction of the change.
    """
    if not (to or user.email):
        return
    told = {
        "when": f"{timezone.now():%-d %B %Y, %H:%M} UTC",
        "address": "an unknown address" if address is None else str(address),
        **values,
    }
    own = {name: value for name, value in told.items() if name in template.own_values}
    outbox.send(user.deployment, to=to or user.email, template=template, values=own)
