"""Changes of many rows at once. Each is to be called in a transaction, and raises ``Refused`` or does it all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from django.db import models
from django.utils import timezone

from accounts.authentication import sessions
from accounts.credentials import codes
from accounts.mail import notices, outbox
from accounts.models import Authenticator, Deployment, Mail, Session, SignIn, SigningKey, SignUpInvitation, User
from accounts.sign_in import forgotten_passwords, invitations
from accounts.sign_in.signing_in import Client
from accounts.tokens.keys import create_signing_key, published_keys
from accounts.values.mail_texts import Template
from api.errors import ApiError
from memberships import erasure
from memberships import invitations as organization_invitations
from memberships.models import (
    OrganizationInvitation,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import Organization, OrganizationRole, Workspace, WorkspaceRole
from staff.numbers import number_of


class Change(NamedTuple):
    """The change of ``row``; ``text`` is "" if there is none, because the row is so already."""

    row: models.Model
    text: str


class Refused(Exception):
    """The change cannot be made for any row: ``reasons`` name the rows that prevent it, and why."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = list(reasons)
        super().__init__("\n".join(self.reasons))


Membership = OrganizationMembership | WorkspaceMembership
Role = OrganizationRole | WorkspaceRole


def add_to_workspace(users: Sequence[User], workspace: Workspace, roles: Collection[WorkspaceRole]) -> list[Change]:
    """Make ``users`` members of ``workspace``, and of its organization, with ``roles`` besides those that they hold."""
    organization = workspace.organization
    _require_fit(users, workspace, roles)
    in_workspace = _users_in(WorkspaceMembership.objects.filter(workspace=workspace, user__in=users))
    in_organization = _join_organization(users, organization)
    WorkspaceMembership.objects.bulk_create(
        (
            WorkspaceMembership(organization=organization, workspace=workspace, user=user)
            for user in users
            if user.pk not in in_workspace
        ),
        ignore_conflicts=True,  # with the organization they have joined its auto-assigned workspace
    )
    memberships = WorkspaceMembership.objects.filter(workspace=workspace, user__in=users)
    given = _given_to(WorkspaceMembershipRole, memberships, roles)
    return [
        Change(
            user,
            _sentence(
                f"joins “{organization}”" if user.pk not in in_organization else "",
                f"joins “{workspace}”" if user.pk not in in_workspace else "",
                _named("gets", given[user.pk]),
            ),
        )
        for user in users
    ]


def add_to_organization(
    users: Sequence[User], organization: Organization, roles: Collection[OrganizationRole]
) -> list[Change]:
    """Make ``users`` members of ``organization``, with ``roles`` besides those that they hold."""
    _require_fit(users, organization, roles)
    in_organization = _join_organization(users, organization)
    memberships = OrganizationMembership.objects.filter(organization=organization, user__in=users)
    given = _given_to(OrganizationMembershipRole, memberships, roles)
    return [
        Change(
            user,
            _sentence(
                f"joins “{organization}”" if user.pk not in in_organization else "", _named("gets", given[user.pk])
            ),
        )
        for user in users
    ]


def _require_fit(users: Sequence[User], place: Organization | Workspace, roles: Collection[Role]) -> None:
    organization = place.organization if isinstance(place, Workspace) else place
    _refuse(
        f"{user} is a user of another deployment than “{place}”."
        for user in users
        if user.deployment_id != organization.deployment_id
    )
    _refuse(f"“{role}” is a role of “{_owner(role)}”, not of “{place}”." for role in roles if not _fits(role, place))


def _join_organization(users: Sequence[User], organization: Organization) -> set[int]:
    """Have ``users`` join ``organization``; returns the ids of those who were members."""
    members = _users_in(OrganizationMembership.objects.filter(organization=organization, user__in=users))
    OrganizationMembership.objects.bulk_create(
        OrganizationMembership(deployment_id=organization.deployment_id, organization=organization, user=user)
        for user in users
        if user.pk not in members
    )
    return members


def _given_to(link: Any, rows: Any, roles: Collection[Any]) -> dict[int, list[Any]]:
    """Give ``roles`` in the memberships ``rows``; returns the new ones by the user's id."""
    memberships = list(rows)
    given = _give(link, memberships, roles)
    return {membership.user_id: new for membership, new in zip(memberships, given, strict=True)}


def change_roles(memberships: Sequence[Any], give: Collection[Any], take: Collection[Any]) -> list[Change]:
    """Give and take roles of ``memberships``, which are all of organizations or all of workspaces, as the roles are."""
    _refuse(
        f"{membership}: “{role}” is a role of “{_owner(role)}” and cannot be added here."
        for membership in memberships
        for role in give
        if not _fits(role, _place(membership))
    )
    _refuse(f"“{role}” is to be both added and removed." for role in set(give) & set(take))
    if not memberships:
        return []
    link = WorkspaceMembershipRole if isinstance(memberships[0], WorkspaceMembership) else OrganizationMembershipRole
    given = _give(link, memberships, give)
    taken = _take(link, memberships, take)
    return [
        Change(membership, _sentence(_named("gets", new), _named("loses", old)))
        for membership, new, old in zip(memberships, given, taken, strict=True)
    ]


def remove(memberships: Sequence[Membership]) -> list[Change]:
    """End ``memberships``. With a membership of an organization, the memberships of its workspaces end."""
    changes = [Change(membership, f"leaves “{_place(membership)}”") for membership in memberships]
    for membership in memberships[:1]:
        type(membership).objects.filter(pk__in=[row.pk for row in memberships]).delete()
    return changes


def erase(users: Iterable[User]) -> list[Change]:
    """Erase the persons who ``users`` are."""
    return [Change(user, _erased(user)) for user in users]


def _erased(user: User) -> str:
    found = erasure.erase(user)
    rows = ", ".join(f"{number:,} {name}" for name, number in sorted(found.deleted.items()))
    return (
        f"Deleted for good: {rows}. Emptied: {found.entries:,} entries of the audit log, which keep their time, the "
        "kind and id of the object, and the member of staff."
    )


def _refuse(reasons: Iterable[str]) -> None:
    """Raise ``Refused`` if there are any ``reasons``."""
    if found := list(reasons):
        raise Refused(found)


def _users_in(memberships: Any) -> set[int]:
    return set(memberships.values_list("user_id", flat=True))


def _place(membership: Membership) -> Any:
    return membership.workspace if isinstance(membership, WorkspaceMembership) else membership.organization


def _owner(role: Role) -> Any:
    return getattr(role, "workspace", None) or role.organization or role.deployment


def _fits(role: Role, place: Any) -> bool:
    """The rule of the triggers ``role_fits``, which bind all writers; this names the row that breaks it."""
    organization = place.organization if isinstance(place, Workspace) else place
    return (
        role.deployment_id == organization.deployment_id
        and role.organization_id in (None, organization.pk)
        and getattr(role, "workspace_id", None) in (None, place.pk)
    )


def _held(link: Any, memberships: Sequence[Any], roles: Collection[Any]) -> dict[int, set[int]]:
    """The ids of the ``roles`` that each membership has, by the membership's id."""
    held: dict[int, set[int]] = defaultdict(set)
    for membership_id, role_id in link.objects.filter(membership__in=memberships, role__in=roles).values_list(
        "membership_id", "role_id"
    ):
        held[membership_id].add(role_id)
    return held


def _give(link: Any, memberships: Sequence[Any], roles: Collection[Any]) -> list[list[Any]]:
    """Give ``roles``; returns the new ones of each membership."""
    held = _held(link, memberships, roles)
    new = [[role for role in roles if role.pk not in held[membership.pk]] for membership in memberships]
    link.objects.bulk_create(
        link(membership=membership, role=role) for membership, own in zip(memberships, new, strict=True) for role in own
    )
    return new


def _take(link: Any, memberships: Sequence[Any], roles: Collection[Any]) -> list[list[Any]]:
    """Remove ``roles``; returns the removed ones of each membership."""
    held = _held(link, memberships, roles)
    link.objects.filter(membership__in=memberships, role__in=roles).delete()
    return [[role for role in roles if role.pk in held[membership.pk]] for membership in memberships]


def _named(verb: str, roles: Sequence[Any]) -> str:
    return f"{verb} {', '.join(f'“{role}”' for role in roles)}" if roles else ""


def _sentence(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def set_disabled(users: Sequence[User], disabled: bool) -> list[Change]:
    """Disable or enable ``users``. A disabled user can use no session, old or new."""
    changed = [user for user in users if user.disabled is not disabled]
    User.objects.filter(pk__in=[user.pk for user in changed]).update(disabled=disabled)
    text = "is disabled" if disabled else "is enabled"
    return [Change(user, text if user.disabled is not disabled else "") for user in users]


MFA_REMOVED = "Your authenticator was removed. Signing in takes no code any more."


def reset_mfa(users: Sequence[User]) -> list[Change]:
    """Delete the authenticators of ``users``, with which their backup codes go, sign them out and inform them."""
    authenticators = Authenticator.objects.filter(user__in=users)
    having = set(authenticators.filter(confirmed_at__isnull=False).values_list("user_id", flat=True))
    authenticators.delete()
    affected = [user for user in users if user.pk in having]
    for user in affected:
        notices.send(user, Template.MFA_CHANGED, address=notices.STAFF, change=MFA_REMOVED)
    sessions.sign_out_everywhere(affected)
    return [Change(user, "signs in without a code, and is signed out" if user.pk in having else "") for user in users]


def mail_password_resets(users: Sequence[User]) -> list[Change]:
    """Mail each of ``users`` the code with which they set a new password, as if they had forgotten it."""
    _refuse(f"{user} is disabled." for user in users if user.disabled)
    _refuse(f"{user} has no e-mail address." for user in users if not user.email)
    _refuse(f"{user} has no password: set one on the form." for user in users if user.email and not user.password)
    for user in users:
        try:
            forgotten_passwords.mail_code(user.deployment, Client(None, ""), email=user.email)
        except ApiError as error:
            raise Refused([f"{user} was sent several codes just now: wait for a quarter of an hour."]) from error
    text = f"gets a code by mail that sets a new password; it is valid for {codes.MINUTES} minutes"
    return [Change(user, text) for user in users]


def offboard(users: Sequence[User]) -> list[Change]:
    """Disable ``users``, sign them out, and end all their memberships."""
    sign_ins = Counter(sign_in.user_id for sign_in in sessions.sign_out_everywhere(users))
    memberships = OrganizationMembership.objects.filter(user__in=users)
    places = Counter(memberships.values_list("user_id", flat=True))
    memberships.delete()
    disabled = {change.row.pk: change.text for change in set_disabled(users, disabled=True)}
    return [
        Change(
            user,
            _sentence(
                _signed_out(sign_ins[user.pk]),
                f"leaves {number_of(places[user.pk], 'organization')}" if places[user.pk] else "",
                disabled[user.pk],
            ),
        )
        for user in users
    ]


def end_sign_ins(sign_ins: Sequence[SignIn]) -> list[Change]:
    """End the live ones of ``sign_ins``; a session without any other ends."""
    rows = SignIn.objects.filter(pk__in=[sign_in.pk for sign_in in sign_ins])
    ended = {sign_in.pk for sign_in in sessions.end_sign_ins(rows)}
    return [Change(sign_in, f"of {sign_in.user} ends" if sign_in.pk in ended else "") for sign_in in sign_ins]


def sign_out(users: Sequence[User]) -> list[Change]:
    """Sign ``users`` out everywhere; a session that nobody else is signed in to ends."""
    numbers = Counter(sign_in.user_id for sign_in in sessions.sign_out_everywhere(users))
    return [Change(user, _signed_out(numbers[user.pk])) for user in users]


def _signed_out(number: int) -> str:
    return f"is signed out of {number_of(number, 'session')}" if number else ""


def end_sessions(rows: Sequence[Session]) -> list[Change]:
    """End the sessions ``rows``, with all sign-ins in them. Those that have ended keep their time."""
    sessions.end([session.pk for session in rows if session.ended_at is None])
    return [Change(session, "ends" if session.ended_at is None else "") for session in rows]


def sign_with_new_keys(deployments: Sequence[Deployment]) -> list[Change]:
    """Make a new signing key for each of ``deployments``; earlier ones go on verifying."""
    return [Change(deployment, _sign_with_new_key(deployment)) for deployment in deployments]


def _sign_with_new_key(deployment: Deployment) -> str:
    former = published_keys(deployment).first()
    create_signing_key(deployment=deployment)
    if former is None:
        return "signs with its first key from now on"
    return (
        f"signs with a new key from now on. The key {former.kid} goes on verifying: nobody is signed out. "
        "Clients that keep a copy of the JWKS must fetch it again"
    )


def retire_keys(keys: Sequence[SigningKey]) -> list[Change]:
    """Have ``keys`` sign no more; tokens that they signed stay good."""
    return _end(keys, "retired_at", "no longer signs; tokens that it signed stay valid until they expire")


def revoke_keys(keys: Sequence[SigningKey]) -> list[Change]:
    """Refuse all tokens that ``keys`` signed."""
    text = "is revoked: its tokens are refused from now on, and their users must sign in again"
    return _end(keys, "revoked_at", text)


def _end(keys: Sequence[SigningKey], field: str, text: str) -> list[Change]:
    """Write the current time into ``field`` of those ``keys`` that have none there yet."""
    ends = [key for key in keys if getattr(key, field) is None]
    rows = SigningKey.objects.filter(pk__in=[key.pk for key in ends], **{f"{field}__isnull": True})
    rows.update(**{field: timezone.now()})
    return [Change(key, text if key in ends else "") for key in keys]


def invite_again(rows: Sequence[SignUpInvitation]) -> list[Change]:
    """Mail a new link to each; the one before is void."""
    _refuse(f"{row} has accepted the invitation." for row in rows if row.accepted_at is not None)
    for row in rows:
        invitations.send(row)
    return [Change(row, "gets a new link; the one before is void") for row in rows]


def invite_to_organization_again(rows: Sequence[OrganizationInvitation]) -> list[Change]:
    """Mail a new link to each; the one before is void."""
    _refuse(f"{row} has accepted the invitation." for row in rows if row.accepted_at is not None)
    _refuse(f"The invitation of {row} is discarded." for row in rows if row.discarded_at is not None)
    for row in rows:
        organization_invitations.send(row)
    return [Change(row, "gets a new link; the one before is void") for row in rows]


def discard_invitations(rows: Sequence[OrganizationInvitation]) -> list[Change]:
    """Withdraw those of the invitations that are open: their links are void."""
    open_ones = [row for row in rows if row.accepted_at is None and row.discarded_at is None]
    still_open = OrganizationInvitation.objects.filter(accepted_at__isnull=True, discarded_at__isnull=True)
    still_open.filter(pk__in=[row.pk for row in open_ones]).update(discarded_at=timezone.now())
    return [Change(row, "can no longer accept" if row in open_ones else "") for row in rows]


def send_again(mails: Sequence[Mail]) -> list[Change]:
    """Have those of ``mails`` that were refused, or wait for their next try, be tried at once."""
    _refuse(
        f"{row} to {row.to} was given up, and its content deleted: have the user ask for a new one."
        for row in mails
        if row.state == Mail.State.EXPIRED
    )
    outbox.send_again(mails)
    return [Change(row, "" if row.state == Mail.State.SENT else "is tried again at once") for row in mails]
