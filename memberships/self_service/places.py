"""Creating, updating, deleting and leaving organizations and workspaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from accounts.authentication.sessions import SignedIn
from accounts.credentials import mfa
from accounts.models import Deployment
from api.errors import ApiError, Problem
from api.requests import boolean_field, id_field, list_field, optional_text_field, text_field
from memberships import last_admin
from memberships.models import (
    OrganizationInvitation,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from memberships.permissions import Rights
from memberships.standing import NO_WORKSPACE, Standing
from organizations import images
from organizations.models import ORGANIZATION_ADMIN, WORKSPACE_ADMIN, Organization, Workspace

MAX_NAME = 200
MAX_DESCRIPTION = 2000


def create_organization(caller: SignedIn, body: Mapping[str, Any]) -> Standing:
    """A new organization with the fields of ``body``, whose only member is the caller, as an administrator.

    Raises ``ApiError``: 403 if the deployment lets no user create one, 409 if the caller has as many as they may, 400.
    """
    deployment = caller.deployment
    if not (deployment.organizations_enabled and deployment.allow_users_to_create_orgs):
        raise ApiError(Problem.FORBIDDEN, "Organizations are set up by the operator here; ask there for one.")
    organization = Organization(deployment=deployment, **_texts(body, needs_name=True))
    _require_valid(organization)
    with images.sent_in(body, deployment) as image, transaction.atomic():
        user = mfa.lock(caller.user)  # one at a time, so that no number at once passes the limit
        limit = deployment.org_creation_per_user_count
        if limit is not None and user.organization_memberships.exclude(administrator=None).count() >= limit:
            raise ApiError(Problem.LIMIT_REACHED, "You have as many organizations as you may; ask the operator.")
        organization.image_url = image.get("image_url", "")
        organization.save()
        membership = OrganizationMembership.objects.create(organization=organization, user=user)
        roles = [_creator_role(deployment, "org", ORGANIZATION_ADMIN)]
        OrganizationMembershipRole.objects.bulk_create(
            OrganizationMembershipRole(membership=membership, role=role) for role in roles
        )
    return Standing(
        caller=caller,
        organization_id=organization.pk,
        organization_membership_id=membership.pk,
        workspace_id=None,
        workspace_membership_id=None,
        rights=Rights(frozenset(roles[0].permissions)),
    )


def create_workspace(standing: Standing, body: Mapping[str, Any]) -> Standing:
    """A new workspace of the organization, whose only member is the caller, as an administrator.

    Raises ``ApiError``: 403 if the deployment lets no user create one, 409 if there are as many as there may be, 400.
    """
    caller, deployment = standing.caller, standing.caller.deployment
    limit = deployment.workspaces_per_org_count
    if not deployment.workspaces_enabled or limit == 0:
        raise ApiError(Problem.FORBIDDEN, "Workspaces are set up by the operator here; ask there for one.")
    with images.sent_in(body, deployment) as image, transaction.atomic():
        organization = locked_organization(standing)
        if limit is not None and organization.workspaces.count() >= limit:
            raise ApiError(Problem.LIMIT_REACHED, "The organization has as many workspaces as it may.")
        workspace = Workspace(organization=organization, **_texts(body, needs_name=True), **image)
        _require_valid(workspace)
        workspace.save()
        membership = WorkspaceMembership.objects.create(workspace=workspace, user=caller.user)
        role = _creator_role(deployment, "workspace", WORKSPACE_ADMIN)
        WorkspaceMembershipRole.objects.create(membership=membership, role=role)
    return Standing(
        caller=caller,
        organization_id=organization.pk,
        organization_membership_id=standing.organization_membership_id,
        workspace_id=workspace.pk,
        workspace_membership_id=membership.pk,
        rights=Rights(standing.rights.organization, frozenset(role.permissions)),
    )


def update(standing: Standing, body: Mapping[str, Any]) -> None:
    """Change those of the place's fields that ``body`` has; raises ``ApiError`` (400)."""
    deployment = standing.caller.deployment
    with images.sent_in(body, deployment) as image, transaction.atomic():
        place: Organization | Workspace
        if standing.workspace_id is None:
            place = locked_organization(standing)
            values = _texts(body) | _rules(body, "enforce_mfa") | image
            if "auto_assigned_workspace_id" in body:
                values["auto_assigned_workspace"] = _own_workspace(place, body)
        else:
            place = _locked_workspace(standing)
            values = _texts(body) | _rules(body, "enforce_2fa") | image
        _update(deployment, place, values)


def delete(standing: Standing) -> None:
    """Delete the place with all that it has; raises ``ApiError`` (403) if the deployment does not let them."""
    if standing.workspace_id is None:
        _delete_organization(standing)
    else:
        _delete_workspace(standing)


def leave(standing: Standing) -> None:
    """End the caller's membership, and with one of an organization those of its workspaces.

    An organization's last administrator cannot leave: ``IntegrityError``, which is answered by 409.
    """
    with transaction.atomic():
        if standing.workspace_id is None:
            OrganizationMembership.objects.filter(pk=standing.organization_membership_id).delete()
            last_admin.check()
        else:
            WorkspaceMembership.objects.filter(pk=standing.workspace_membership_id or 0).delete()


def _delete_organization(standing: Standing) -> None:
    if not standing.caller.deployment.allow_org_deletion:
        raise ApiError(Problem.FORBIDDEN, "Organizations are deleted by the operator here; ask there.")
    with transaction.atomic():
        # Before the organization is locked: whoever accepts one locks it first, too.
        OrganizationInvitation.objects.filter(organization=standing.organization_id).delete()
        organization = locked_organization(standing, no_key=False)  # those who join by a domain wait here
        workspaces = organization.workspaces.values_list("image_url", flat=True)
        images.discard(standing.caller.deployment, [organization.image_url, *workspaces])
        # The memberships by the database: Django would load each of them.
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM memberships_organizationmembership WHERE organization_id = %s", [organization.pk]
            )
        organization.delete()


def _delete_workspace(standing: Standing) -> None:
    if not standing.caller.deployment.allow_workspace_deletion:
        raise ApiError(Problem.FORBIDDEN, "Workspaces are deleted by the operator here; ask there.")
    with transaction.atomic():
        # Before the organization is locked: whoever accepts one locks it first, too.
        OrganizationInvitation.objects.filter(workspace=standing.workspace_id).delete()
        locked_organization(standing)  # in the order in which those lock them who join
        workspace = _locked_workspace(standing)
        images.discard(standing.caller.deployment, [workspace.image_url])
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM memberships_workspacemembership WHERE workspace_id = %s", [workspace.pk])
        workspace.delete()


def _creator_role(deployment: Deployment, level: str, permission: str) -> Any:
    """The role of whoever creates a place; it must administer it, or nobody could."""
    role = getattr(deployment, f"default_{level}_creator_role")
    if role is None or permission not in role.permissions:
        raise ApiError(Problem.FORBIDDEN, "The operator has not yet said which role creators have; ask there.")
    return role


def locked_organization(standing: Standing, *, no_key: bool = True) -> Organization:
    """The organization, locked until the end of the transaction; raises ``ApiError`` (404) if it was just deleted."""
    found = Organization.objects.select_for_update(no_key=no_key).filter(pk=standing.organization_id).first()
    if found is None:
        raise (
            ApiError(Problem.NOT_A_MEMBER)
            if standing.workspace_id is None
            else ApiError(Problem.NOT_FOUND, NO_WORKSPACE)
        )
    return found


def _locked_workspace(standing: Standing) -> Workspace:
    found = Workspace.objects.select_for_update(no_key=True).filter(pk=standing.workspace_id or 0).first()
    if found is None:
        raise ApiError(Problem.NOT_FOUND, NO_WORKSPACE)
    return found


def _texts(body: Mapping[str, Any], *, needs_name: bool = False) -> dict[str, Any]:
    """Those of the name and the description that ``body`` has."""
    values = {}
    if needs_name or "name" in body:
        values["name"] = text_field(body, "name", max_length=MAX_NAME).strip()
    if "description" in body:
        values["description"] = optional_text_field(body, "description", max_length=MAX_DESCRIPTION)
    return values


def _rules(body: Mapping[str, Any], enforces_mfa: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: boolean_field(body, name) for name in ("enable_ip_restriction", enforces_mfa) if name in body
    }
    if (allowed := list_field(body, "whitelisted_ips")) is not None:
        values["whitelisted_ips"] = allowed
    return values


def _own_workspace(organization: Organization, body: Mapping[str, Any]) -> Workspace | None:
    pk = id_field(body, "auto_assigned_workspace_id")
    if pk is None:
        return None
    found: Workspace | None = organization.workspaces.filter(pk=pk).first()
    if found is None:
        raise ApiError(Problem.INVALID_FIELD, "auto_assigned_workspace_id must be a workspace of this organization.")
    return found


def _update(deployment: Deployment, place: Organization | Workspace, values: Mapping[str, Any]) -> None:
    if "image_url" in values:
        images.discard(deployment, [place.image_url])
    for name, value in values.items():
        setattr(place, name, value)
    if values:
        _require_valid(place)
        place.save(update_fields=list(values))


def _require_valid(place: Organization | Workspace) -> None:
    """Raise ``ApiError`` (400) with the first thing that a field cannot be."""
    try:
        place.clean_fields(exclude=["deployment", "organization", "image_url"])
    except ValidationError as error:
        name, messages = next(iter(error.message_dict.items()))
        raise ApiError(Problem.INVALID_FIELD, f"{name}: {messages[0]}") from error
