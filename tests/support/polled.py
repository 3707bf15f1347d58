"""The polled endpoints: somebody whose tab asks them, and what may begin in their session."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
from django.utils import timezone

from accounts.authentication import sessions
from accounts.models import Deployment, Session, SignInAttempt, User
from accounts.tokens.session_tokens import sign_session_token
from memberships.models import ActiveMembership
from organizations.models import UserSegment
from tests.support.api import ApiClient
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    SegmentFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    join,
    join_organization,
    session_of,
)

SESSION = "/session"
ORGANIZATIONS = "/me/organization-memberships"
ME = "/me"
DEPLOYMENT = "/deployment"
TOKEN = "/session/token"
POLLED = [SESSION, ORGANIZATIONS, ME, DEPLOYMENT, TOKEN]


def took_the_fast_path(answer: Any) -> bool:
    return hasattr(answer, "took_the_fast_path")


class Tab:
    """A tab that polls: it sends the ETag of the answer that it has, and keeps that answer for a 304."""

    def __init__(self, user: User, session: Session | None = None) -> None:
        self.session = session or session_of(user)
        token = sign_session_token(self.session, expires_at=self.session.expires_at)
        self.client = ApiClient(user.deployment, token=token)
        self._kept: dict[str, Any] = {}

    def ask(self, path: str, **headers: str) -> Any:
        return self.client.get(path, **headers)

    def poll(self, path: str) -> Any:
        """``data`` of the newest answer; of a token its claims."""
        kept = self._kept.get(path)
        answer = self.ask(path, HTTP_IF_NONE_MATCH=kept.headers["ETag"] if kept is not None else '""')
        if answer.status_code != 304:
            self._kept[path] = answer
        data = self._kept[path].json().get("data")
        if path == TOKEN and data is not None:
            return jwt.decode(data["token"], options={"verify_signature": False})
        return data

    def is_fast(self, path: str) -> bool:
        return took_the_fast_path(self.ask(path))


class World:
    """Somebody who acts in an organization and a workspace of it, with all that an answer can show."""

    def __init__(self) -> None:
        deployment = DeploymentFactory.create()
        self.user = user = UserFactory.create(deployment=deployment, first_name="Ada", public_metadata={"n": 0})
        self.organization = OrganizationFactory.create(deployment=deployment, private_metadata={"plan": "team"})
        self.workspace = WorkspaceFactory.create(organization=self.organization)
        self.organization_role = OrganizationRoleFactory.create(deployment=deployment, permissions=["order:read"])
        self.role = WorkspaceRoleFactory.create(deployment=deployment, permissions=["shift:read"])
        self.membership = join(user, self.workspace, self.role)
        self.organization_membership = join_organization(user, self.organization, self.organization_role)
        join_organization(user, OrganizationFactory.create(deployment=deployment))
        self.segment = SegmentFactory.create(deployment=deployment, type="user")
        UserSegment.objects.create(user=user, segment=self.segment)
        self.session = session_of(user)
        ActiveMembership.objects.create(
            sign_in=self.session.sign_ins.get(),
            user=user,
            organization_membership=self.organization_membership,
            workspace_membership=self.membership,
        )
        self.tab = Tab(user, self.session)

    @property
    def deployment(self) -> Deployment:
        return self.user.deployment


def sign_somebody_in(world: World) -> None:
    colleague = UserFactory.create(deployment=world.deployment)
    sessions.sign_in(world.session, user=colleague, expires_at=world.session.expires_at)
    world.session.active_sign_in = world.session.sign_ins.get(user=world.user)
    world.session.save()


def begin_a_sign_in(world: World) -> None:
    SignInAttempt.objects.create(
        deployment=world.deployment,
        session=world.session,
        user=world.user,
        method="plain_email",
        expires_at=timezone.now() + timedelta(minutes=5),
    )
