"""The lists that were put together last: as long as nothing in one has changed, it is given again as it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from weakref import ReferenceType

from accounts.models import Deployment
from config.database import memory
from config.database.memory import Memory
from config.networks import Address
from memberships.pieces import MIB, Place, Role


class Entry(NamedTuple):
    """A membership as JSON text in three, around its workspace and its organization."""

    before: bytes
    workspace: ReferenceType[Place]
    shows_workspaces_metadata: bool
    between: bytes
    organization: ReferenceType[Place]
    shows_organizations_metadata: bool
    after: bytes


@dataclass(eq=False, slots=True, weakref_slot=True)
class Owner:
    """Stands for all that a user is a member of."""

    is_current: bool = True


@dataclass(eq=False, slots=True)
class Listing:
    """The answer to a user in a session at an address, and all that it depends on.

    Workspaces, organizations and roles are not its own: it keeps none of them that is no longer remembered.
    """

    etag: str
    """Of a digest of all that the answer is made of: the same answer has the same, in every process."""
    entries: tuple[Entry, ...]
    session: bytes
    """As JSON text."""
    parts: tuple[ReferenceType[Owner | Place | Role], ...]
    address: Address | None
    deployment: Deployment
    session_version: bytes
    expires_at: datetime
    """When the session or its active sign-in ends."""
    kept_serial: int | None
    """See ``accounts.sessions.kept_serial``."""
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

    def body(self) -> bytes | None:
        """The whole success envelope; None if a part of it is no longer remembered."""
        text = [_HEAD]
        for before, workspace, shows_workspaces, between, organization, shows_organizations, after in self.entries:
            workspace_place, organization_place = workspace(), organization()
            if workspace_place is None or organization_place is None:
                return None
            text += (
                before,
                workspace_place.shown if shows_workspaces else workspace_place.hidden,
                between,
                organization_place.shown if shows_organizations else organization_place.hidden,
                after,
                b",",
            )
        if self.entries:
            text.pop()
        text.append(_TAIL % self.session)
        return b"".join(text)


_HEAD = b'{"status":200,"message":"Your workspace memberships.","data":['
_TAIL = b'],"session":%b}'


def _weight(listing: Listing) -> int:
    own = sum(len(entry.before) + len(entry.between) + len(entry.after) for entry in listing.entries)
    return 900 + own + 220 * len(listing.entries) + 8 * len(listing.parts)


_owners: Memory[Owner] = Memory("user", bound=30_000)
_listings: Memory[Listing] = Memory("answer", bound=24 * MIB, weigh=_weight)


def owner_of(user_id: int, *, as_of: int) -> Owner:
    """Stands for all that the user is a member of, as it was read then."""
    key = b"%d" % user_id
    owner = _owners.get(key)
    if owner is None:
        owner = Owner()
        _owners.remember(key, owner, as_of=as_of)
    return owner


def last_listing(session_id: int, organization_id: int | None) -> Listing | None:
    """The list that was last put together for the session, of the organization or of all."""
    return _listings.get(_key(session_id, organization_id))


def remember(listing: Listing, session_id: int, organization_id: int | None, *, as_of: int) -> None:
    """Remember ``listing``, which was read ``as_of`` then."""
    _listings.remember(_key(session_id, organization_id), listing, as_of=as_of)


def _key(session_id: int, organization_id: int | None) -> bytes:
    return b"%d" % session_id if organization_id is None else b"%d/%d" % (session_id, organization_id)
