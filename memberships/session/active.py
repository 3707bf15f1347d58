"""The organization and workspace in which a sign-in acts: switching, and finding them.

Nothing is cached of a membership: each request reads the active ones with their roles and restrictions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import IntegrityError, transaction

from accounts.authentication.sessions import SignedIn
from accounts.models import SignIn
from api.errors import ApiError, Problem
from api.networks import Address
from memberships import rows
from memberships.access import Membership, membership_of, require_unrestricted
from memberships.eligibility import EligibilityRestriction
from memberships.listing.composing import organization_restriction, workspace_restriction
from memberships.listing.fragments import of_organization
from memberships.models import ActiveMembership
from memberships.standing import NO_WORKSPACE


def switch_organization(caller: SignedIn, organization_id: int | None, *, address: Address | None) -> None:
    """Make the user's membership in an organization the active one, or none; leave the workspace of another one.

    Raises ``ApiError``: 404 for a non-member, 403 with the eligibility's message where entry is restricted.
    """
    membership_id = None
    if organization_id is not None:
        row = _organization_row(caller, organization_id, missing=ApiError(Problem.NOT_A_MEMBER))
        require_unrestricted(caller, _organization_restriction(row, caller, address))
        membership_id = row.id
    with _unless_left(Problem.NOT_A_MEMBER):
        active = _locked(caller.sign_in)
        if active.organization_membership_id != membership_id:
            active.workspace_membership_id = None
        active.organization_membership_id = membership_id
        active.save()


def switch_workspace(caller: SignedIn, workspace_id: int | None, *, address: Address | None) -> None:
    """Make the user's membership in a workspace, and in its organization, the active one; None leaves the workspace.

    Raises ``ApiError``: 404 for a non-member, 403 with the eligibility's message where entry is restricted.
    """
    if workspace_id is None:
        ActiveMembership.objects.filter(sign_in=caller.sign_in).update(workspace_membership=None)
        return
    membership = membership_of(caller.user.pk, workspace_id)
    if membership is None:
        raise ApiError(Problem.NOT_FOUND, NO_WORKSPACE)
    require_unrestricted(caller, _workspace_restriction(membership, caller, address))
    missing = ApiError(Problem.NOT_FOUND, NO_WORKSPACE)
    organization = _organization_row(caller, membership.organization_id, missing=missing)
    with _unless_left(Problem.NOT_FOUND):
        active = _locked(caller.sign_in)
        active.organization_membership_id = organization.id
        active.workspace_membership_id = membership.id
        active.save()


def resume(sign_in: SignIn) -> None:
    """Let a new sign-in of a user begin where their last one was."""
    last = ActiveMembership.objects.filter(user=sign_in.user).exclude(sign_in=sign_in).order_by("-updated_at").first()
    if last is not None:
        with suppress(IntegrityError), transaction.atomic():  # the user may leave in this very moment
            ActiveMembership.objects.create(
                sign_in=sign_in,
                user=sign_in.user,
                organization_membership_id=last.organization_membership_id,
                workspace_membership_id=last.workspace_membership_id,
            )


def _organization_row(caller: SignedIn, organization_id: int, *, missing: ApiError) -> rows.OrganizationMembershipRow:
    found = rows.organization_membership_rows(
        user_id=caller.user.pk, deployment_id=caller.deployment.pk, organization_id=organization_id
    )
    if not found:
        raise missing
    return found[0]


def _organization_restriction(
    row: rows.OrganizationMembershipRow, caller: SignedIn, address: Address | None
) -> EligibilityRestriction:
    return organization_restriction(
        of_organization(row.organization), is_admin=row.is_organization_admin, caller=caller, address=address
    )


def _workspace_restriction(membership: Membership, caller: SignedIn, address: Address | None) -> EligibilityRestriction:
    return workspace_restriction(
        membership.workspace, membership.organization, is_admin=membership.is_admin, caller=caller, address=address
    )


@contextmanager
def _unless_left(problem: Problem) -> Iterator[None]:
    """A transaction that fails with ``problem`` if the membership that it refers to is gone by its end."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise ApiError(problem) from error


def _locked(sign_in: SignIn) -> ActiveMembership:
    """The row of ``sign_in``, made if there is none, locked until the transaction's end."""
    ActiveMembership.objects.get_or_create(sign_in=sign_in, defaults={"user_id": sign_in.user_id})
    return ActiveMembership.objects.select_for_update().get(sign_in=sign_in)
