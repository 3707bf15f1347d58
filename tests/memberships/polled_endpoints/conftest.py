"""The world of the tests of polled endpoints."""

from __future__ import annotations

from copy import deepcopy

import pytest

from tests.support.polled import POLLED, World


@pytest.fixture(scope="module")
def shared_world(shared_rows: None) -> World:
    return World()


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    """It has polled, so that answers are cached."""
    world = deepcopy(shared_world)
    for path in POLLED * 3:
        world.tab.poll(path)
    return world
