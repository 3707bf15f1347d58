"""Rows for tests. Each factory makes the rows that its own row requires, all of one deployment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from typing import Any

from django.contrib.auth.models import User as Staff
from django.utils import timezone
from factory.declarations import PostGeneration, Sequence, SubFactory
from factory.django import DjangoModelFactory

from accounts.models import Authenticator, BackupCode, Deployment, Session, SignIn, SignUpInvitation, User
from accounts.sign_in import invitations
from accounts.tokens.keys import create_signing_key
from accounts.tokens.session_tokens import sign_session_token
from memberships import invitations as organization_invitations
from memberships.models import (
    OrganizationInvitation,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import Organization, OrganizationRole, Segment, Workspace, WorkspaceRole
from staff.models import StaffAccess

TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
"""The secret of ``confirmed_authenticator``."""


class DeploymentFactory(DjangoModelFactory[Deployment]):
    """A production deployment with a signing key, at a host of its own."""

    name = Sequence(lambda n: f"Deployment {n}")
    host = Sequence(lambda n: f"d{n}.example.com")
    key = PostGeneration(lambda deployment, *_, **__: create_signing_key(deployment=deployment))

    class Meta:
        model = Deployment
        skip_postgeneration_save = True


class UserFactory(DjangoModelFactory[User]):
    deployment = SubFactory(DeploymentFactory)
    email = Sequence(lambda n: f"user{n}@example.com")

    class Meta:
        model = User


class OrganizationFactory(DjangoModelFactory[Organization]):
    deployment = SubFactory(DeploymentFactory)
    name = Sequence(lambda n: f"Organization {n}")

    class Meta:
        model = Organization


class WorkspaceFactory(DjangoModelFactory[Workspace]):
    organization = SubFactory(OrganizationFactory)
    name = Sequence(lambda n: f"Workspace {n}")

    class Meta:
        model = Workspace


class SegmentFactory(DjangoModelFactory[Segment]):
    deployment = SubFactory(DeploymentFactory)
    name = Sequence(lambda n: f"Segment {n}")
    type = Segment.Type.WORKSPACE

    class Meta:
        model = Segment


class OrganizationRoleFactory(DjangoModelFactory[OrganizationRole]):
    deployment = SubFactory(DeploymentFactory)
    name = Sequence(lambda n: f"Organization role {n}")

    class Meta:
        model = OrganizationRole


class WorkspaceRoleFactory(DjangoModelFactory[WorkspaceRole]):
    deployment = SubFactory(DeploymentFactory)
    name = Sequence(lambda n: f"Workspace role {n}")

    class Meta:
        model = WorkspaceRole


def join_organization(user: User, organization: Organization, *roles: OrganizationRole) -> OrganizationMembership:
    """``user`` becomes a member of ``organization``, if they are none yet, and holds ``roles`` besides."""
    membership, _ = OrganizationMembership.objects.get_or_create(organization=organization, user=user)
    for role in roles:
        OrganizationMembershipRole.objects.create(membership=membership, role=role)
    return membership


def join(user: User, workspace: Workspace, *roles: WorkspaceRole) -> WorkspaceMembership:
    """``user`` becomes a member of ``workspace`` and of its organization, and holds ``roles`` there."""
    join_organization(user, workspace.organization)
    # With the organization they have joined its auto-assigned workspace.
    membership, _ = WorkspaceMembership.objects.get_or_create(workspace=workspace, user=user)
    for role in roles:
        WorkspaceMembershipRole.objects.get_or_create(membership=membership, role=role)
    return membership


def member_of_new_workspace(user: User, **workspace: Any) -> WorkspaceMembership:
    """``user`` in a workspace of an organization of their own deployment, both made for them."""
    organization = OrganizationFactory.create(deployment=user.deployment)
    return join(user, WorkspaceFactory.create(organization=organization, **workspace))


def confirmed_authenticator(user: User) -> Authenticator:
    authenticator = Authenticator(user=user, confirmed_at=timezone.now())
    authenticator.set_secret(TOTP_SECRET)
    authenticator.save()
    return authenticator


def invitation(deployment: Deployment, **values: Any) -> SignUpInvitation:
    """An invitation to sign up at ``deployment``, which is on its way by mail."""
    row = SignUpInvitation(deployment=deployment, **({"email": "ada@example.com"} | values))
    invitations.send(row)
    return row


def organization_invitation(organization: Organization, **values: Any) -> OrganizationInvitation:
    """An invitation of staff to ``organization``, which is on its way by mail."""
    row = OrganizationInvitation(
        **{"organization": organization, "email": "ada@example.com", "is_by_staff": True} | values
    )
    organization_invitations.send(row)
    return row


def backup_code(user: User, **values: Any) -> BackupCode:
    return BackupCode.objects.create(user=user, code_hash="unusable", **values)


OPERATOR, SUPPORT = StaffAccess.Role.OPERATOR, StaffAccess.Role.SUPPORT


def staff(*deployments: Deployment, role: str = OPERATOR, **access: Any) -> Staff:
    """One of the staff, in ``role`` in ``deployments``; of all of them with ``all_deployments=True``."""
    user = Staff.objects.create_user(f"staff{Staff.objects.count()}", is_staff=True)
    StaffAccess.objects.create(user=user, role=role, **access).deployments.set(deployments)
    return user


def session_of(user: User, **values: Any) -> Session:
    """A live session in which ``user`` is signed in; ``values`` replace its own."""
    expires_at = timezone.now() + timedelta(hours=1)
    session = Session.objects.create(deployment=user.deployment, expires_at=expires_at)
    session.active_sign_in = SignIn.objects.create(
        session=session, deployment=user.deployment, user=user, expires_at=expires_at
    )
    for name, value in values.items():
        setattr(session, name, value)
    session.save()
    return session


def token_of(user: User) -> str:
    """A valid token of a new session of ``user``."""
    session = session_of(user)
    return sign_session_token(session, expires_at=session.expires_at)


@dataclass(frozen=True)
class Branch:
    """One of each, belonging together."""

    deployment: Deployment
    organization: Organization
    workspace: Workspace
    user: User


def new_branch(deployment: Deployment | None = None) -> Branch:
    """A new organization, workspace and user, of ``deployment`` if given. The user is no member of anything."""
    deployment = deployment or DeploymentFactory.create()
    organization = OrganizationFactory.create(deployment=deployment)
    workspace = WorkspaceFactory.create(organization=organization)
    return Branch(deployment, organization, workspace, UserFactory.create(deployment=deployment))


@dataclass(frozen=True)
class World:
    """Three branches: one's own, a sibling in the same deployment, a foreign one in another."""

    own: Branch
    sibling: Branch
    foreign: Branch

    def columns(self, row: dict[str, Any]) -> dict[str, Any]:
        """``row`` with each field that is given as "branch.kind" turned into the column with that one's id."""
        return dict(self._column(name, value) for name, value in row.items())

    def _column(self, name: str, value: Any) -> tuple[str, Any]:
        if isinstance(value, str) and "." in value:
            return f"{name}_id", attrgetter(value)(self).pk
        return name, value


def new_world() -> World:
    own = new_branch()
    return World(own=own, sibling=new_branch(own.deployment), foreign=new_branch())
