"""The ETags of the answers that were sent last: while nothing has changed, no membership is read for a 304."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import ReferenceType, ref

from api.networks import Address
from database import cache
from database.cache import Cache
from memberships.listing.composing import Listing, Viewer
from memberships.listing.fragments import MIB, PlaceFragment, RoleFragment


@dataclass(eq=False, slots=True, weakref_slot=True)
class Owner:
    """Stands for all that a user is a member of."""

    deployment_id: int
    is_current: bool = True


@dataclass(eq=False, slots=True)
class Sent:
    """An answer that was sent: its ETag, its viewer, and all that it depends on.

    Fragments are not its own: it keeps none alive that has been evicted.
    """

    etag: str
    viewer: Viewer
    address: Address | None
    parts: tuple[ReferenceType[Owner | PlaceFragment | RoleFragment], ...]
    intact_at: int = -1
    """The number of evictions when all parts were current."""
    is_current: bool = True

    @property
    def deployment_id(self) -> int:
        return self.viewer.deployment.pk

    def is_intact(self) -> bool:
        """Whether all parts are as they were, as far as the process has applied the invalidation log."""
        evictions = cache.evictions()
        if self.intact_at != evictions:
            if not all((part := reference()) is not None and part.is_current for reference in self.parts):
                return False
            self.intact_at = evictions
        return True


_owners: Cache[Owner] = Cache("user", bound=30_000)
_sent: Cache[Sent] = Cache("answer", bound=16 * MIB, weigh=lambda sent: 1200 + 8 * len(sent.parts))


def last_sent(session_id: int, organization_id: int | None) -> Sent | None:
    """The answer that was last sent in the session, for the organization or for all."""
    return _sent.get(_key(session_id, organization_id))


def put(
    listing: Listing,
    viewer: Viewer,
    *,
    session_id: int,
    address: Address | None,
    organization_id: int | None,
    as_of: int,
) -> None:
    """Cache that ``listing``, read ``as_of`` then, is what ``viewer`` sees at ``address``."""
    parts: list[Owner | PlaceFragment | RoleFragment] = [_owner_of(viewer, as_of=as_of), *listing.fragments]
    sent = Sent(listing.etag, viewer, address, tuple([ref(part) for part in parts]))
    _sent.put(_key(session_id, organization_id), sent, as_of=as_of)


def _owner_of(viewer: Viewer, *, as_of: int) -> Owner:
    key = b"%d" % viewer.user_id
    owner = _owners.get(key)
    if owner is None:
        owner = Owner(viewer.deployment.pk)
        _owners.put(key, owner, as_of=as_of)
    return owner


def _key(session_id: int, organization_id: int | None) -> bytes:
    return b"%d" % session_id if organization_id is None else b"%d/%d" % (session_id, organization_id)
