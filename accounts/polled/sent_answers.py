"""The answers that were sent last: while nothing has changed, the next need not be composed, nor all of it be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from weakref import ReferenceType, ref

from accounts.polled.viewers import Viewer
from api.networks import Address
from database import cache
from database.cache import Cache, Cacheable

MIB = 2**20


class Part(Cacheable, Protocol):
    """Something cached that an answer is made of, or stands for; it takes weak references."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class SentAnswer:
    """An answer that was sent: its ETag, its viewer, and all that it depends on.

    Cached parts are not its own: it keeps none alive that has been evicted.
    """

    etag: str
    viewer: Viewer
    address: Address | None
    parts: tuple[ReferenceType[Part], ...]
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


_sent: Cache[SentAnswer] = Cache("answer", bound=16 * MIB, weigh=lambda sent: 1200 + 8 * len(sent.parts))
last_sent = _sent.get
"""The answer that was last sent for a key, None if that is not known."""


def put(
    key: bytes,
    *,
    etag: str,
    viewer: Viewer,
    address: Address | None,
    parts: list[Part],
    as_of: int,
) -> None:
    """Cache that this, read ``as_of`` then, is what ``viewer`` sees at ``address``."""
    _sent.put(key, SentAnswer(etag, viewer, address, tuple([ref(part) for part in parts])), as_of=as_of)
