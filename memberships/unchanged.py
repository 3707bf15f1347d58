"""Answers that clients have and ask for again: as long as nothing has changed, no membership is read for a 304."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Deployment
from accounts.sessions import SignedIn
from config.database.memory import Memory, Remembered
from config.networks import Address
from memberships.listing import Listing, Reading

MIB = 2**20


@dataclass(eq=False, slots=True)
class Owner:
    """Stands for all that a user is a member of."""

    is_current: bool = True


@dataclass(eq=False, slots=True)
class Given:
    """An answer that was given: its ETag, to whom, and all that it depends on."""

    etag: str
    address: Address | None
    deployment: Deployment
    user_id: int
    has_second_factor: bool
    session_updated_at: datetime
    parts: tuple[Remembered, ...]
    is_current: bool = True

    def may_stand(self, *, etag: str, address: Address | None) -> bool:
        """Whether it is what a client at ``address`` has that names ``etag``, as far as the process has heard."""
        return self.etag == etag and self.address == address and all(part.is_current for part in self.parts)

    def stands_for(self, caller: SignedIn) -> bool:
        """Whether it is still for the user of the session, with what they have set up, under the same rules."""
        return (
            self.deployment is caller.deployment
            and self.user_id == caller.user.pk
            and self.has_second_factor == caller.has_second_factor
            and self.session_updated_at == caller.session.updated_at
        )


_owners: Memory[Owner] = Memory("user", bound=30_000)
_given: Memory[Given] = Memory("answer", bound=16 * MIB, weigh=lambda given: 700 + 8 * len(given.parts))


def given_before(session_id: int, organization_id: int | None) -> Given | None:
    """The answer that was last given in the session, for the organization or for all."""
    return _given.get(_key(session_id, organization_id))


def remember(
    listing: Listing, reading: Reading, *, caller: SignedIn, address: Address | None, organization_id: int | None
) -> None:
    """Remember that ``listing`` is the answer to ``caller`` at ``address``."""
    owner_id = str(caller.user.pk).encode()
    owner = _owners.get(owner_id)
    if owner is None:
        owner = Owner()
        _owners.remember(owner_id, owner, as_of=reading.as_of)
    given = Given(
        etag=listing.etag,
        address=address,
        deployment=caller.deployment,
        user_id=caller.user.pk,
        has_second_factor=caller.has_second_factor,
        session_updated_at=caller.session.updated_at,
        parts=(owner, *listing.parts),
    )
    _given.remember(_key(caller.session.pk, organization_id), given, as_of=reading.as_of)


def _key(session_id: int, organization_id: int | None) -> bytes:
    return f"{session_id}/{'' if organization_id is None else organization_id}".encode()
