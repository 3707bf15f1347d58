"""A member of a workspace, and the browser in which they have just signed in."""

from __future__ import annotations

from copy import deepcopy

import pytest

from accounts.models import Deployment, User
from memberships.models import WorkspaceMembership
from tests.support.active import World
from tests.support.api import ApiClient
from tests.support.factories import member_of_new_workspace
from tests.support.sign_in import signed_in, user_with_password


@pytest.fixture(scope="module")
def shared_world(shared_deployment: Deployment) -> World:
    """A member of a workspace, who has just signed in."""
    user = user_with_password(shared_deployment)
    return World(user, member_of_new_workspace(user), signed_in(user))


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    return deepcopy(shared_world)


@pytest.fixture
def user(world: World) -> User:
    return world.user


@pytest.fixture
def membership(world: World) -> WorkspaceMembership:
    return world.membership


@pytest.fixture
def client(world: World) -> ApiClient:
    return world.client
