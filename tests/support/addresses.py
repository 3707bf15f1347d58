"""The steps of a user with their own e-mail addresses."""

from __future__ import annotations

from typing import Any

from accounts.mail import outbox
from accounts.models import Mail, User
from accounts.self_service import addresses
from accounts.values.mail_texts import Template
from tests.support.api import ApiClient, data_of

ADDRESSES = "/me/email-addresses"
NEW = "ada@home.example"


def added(client: ApiClient, email: str = NEW) -> str:
    """The id of a new address."""
    id_: str = data_of(client.post(ADDRESSES, {"email": email}))["id"]
    return id_


def do(client: ApiClient, id_: str, step: str, body: Any = None, query: str = "") -> Any:
    return client.post(f"{ADDRESSES}/{id_}/{step}", body, query)


def mailed_code(client: ApiClient, id_: str) -> str:
    """The code that is sent to the address."""
    assert do(client, id_, "prepare-verification").status_code == 200
    _, values = outbox.rendered(Mail.objects.filter(template=Template.VERIFY_ADDRESS).latest("pk"))
    return values["code"]


def verified(client: ApiClient, email: str = NEW) -> str:
    """The id of a new address that is verified."""
    id_ = added(client, email)
    assert do(client, id_, "attempt-verification", query=f"code={mailed_code(client, id_)}").status_code == 200
    return id_


def held(user: User) -> list[tuple[str, bool, bool]]:
    """Each address, and whether it is the primary one and verified."""
    rows = addresses.addresses_of(user)
    return [(row.email, row.is_primary, row.verified_at is not None) for row in rows]


def told() -> list[str]:
    """The recipients of mails about changed addresses."""
    return list(Mail.objects.filter(template=Template.ADDRESS_CHANGED).order_by("pk").values_list("to", flat=True))
