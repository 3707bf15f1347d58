"""The answers that were given last: as long as nothing has changed, no membership is read to say so."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import ReferenceType, ref

from config.database import memory
from config.database.memory import Memory
from config.networks import Address
from memberships.listing import Asker, Listing
from memberships.pieces import MIB, Place, Role


@dataclass(eq=False, slots=True, weakref_slot=True)
class Owner:
    """Stands for all that a user is a member of."""

    is_current: bool = True


@dataclass(eq=False, slots=True)
class Given:
    """An answer that was given: its ETag, to whom, and all that it depends on.

    Workspaces, organizations and roles are not its own: it keeps none of them that is no longer remembered.
    """

    etag: str
    asker: Asker
    address: Address | None
    parts: tuple[ReferenceType[Owner | Place | Role], ...]
    intact_at: int = -1
    """The number of the memory's losses when all parts were current."""
    is_current: bool = True

    def is_intact(self) -> bool:
        """Whether all parts are as they were, as far as the process has heard."""
        losses = memory.losses()
        if self.intact_at != losses:
            if not all((part := reference()) is not None and part.is_current for reference in self.parts):
                return False
            self.intact_at = losses
        return True


_owners: Memory[Owner] = Memory("user", bound=30_000)
_given: Memory[Given] = Memory("answer", bound=16 * MIB, weigh=lambda given: 1200 + 8 * len(given.parts))


def last_given(session_id: int, organization_id: int | None) -> Given | None:
    """The answer that was last given in the session, for the organization or for all."""
    return _given.get(_key(session_id, organization_id))


def remember(
    listing: Listing,
    asker: Asker,
    *,
    session_id: int,
    address: Address | None,
    organization_id: int | None,
    as_of: int,
) -> None:
    """Remember that ``listing``, read ``as_of`` then, is the answer to ``asker`` at ``address``."""
    parts: list[Owner | Place | Role] = [_owner_of(asker.user_id, as_of=as_of), *listing.parts]
    given = Given(listing.etag, asker, address, tuple([ref(part) for part in parts]))
    _given.remember(_key(session_id, organization_id), given, as_of=as_of)


def _owner_of(user_id: int, *, as_of: int) -> Owner:
    key = b"%d" % user_id
    owner = _owners.get(key)
    if owner is None:
        owner = Owner()
        _owners.remember(key, owner, as_of=as_of)
    return owner


def _key(session_id: int, organization_id: int | None) -> bytes:
    return b"%d" % session_id if organization_id is None else b"%d/%d" % (session_id, organization_id)
