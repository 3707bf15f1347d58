"""Fixtures for every test."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker

from accounts.models import Deployment, User
from database import cache
from tests.support.browser import browser, chromium, demo, other_page, page
from tests.support.caching import cache_what_is_not_committed
from tests.support.database import reader, shared_writers, writers
from tests.support.demo import (
    common_postgres,
    common_server,
    demo_cookies,
    demo_env,
    demo_postgres,
    demo_rows,
    demo_server,
    loaded_demo,
)
from tests.support.dns import name_server
from tests.support.factories import UserFactory
from tests.support.rendering import pages_alone_are_kept
from tests.support.shared import (
    admin_client,
    deployment,
    end_shared_rows,
    rows_until_a_commit,
    shared_admin,
    shared_deployment,
    shared_rows,
    shared_world,
    world,
)
from tests.support.starting import starts
from tests.support.template import copy_a_template, drop_the_template, empty_the_tables, end_the_emptying_session

__all__ = [
    "admin_client",
    "browser",
    "chromium",
    "common_postgres",
    "common_server",
    "demo",
    "demo_cookies",
    "demo_env",
    "demo_postgres",
    "demo_rows",
    "demo_server",
    "deployment",
    "loaded_demo",
    "name_server",
    "other_page",
    "page",
    "pages_alone_are_kept",
    "reader",
    "rows_until_a_commit",
    "shared_admin",
    "shared_deployment",
    "shared_rows",
    "shared_world",
    "shared_writers",
    "starts",
    "world",
    "writers",
]

FOLDER = Path(__file__).parent

# A busy machine is no fault, and examples do not change the fixtures that they share.
settings.register_profile(
    "rollcall", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("rollcall")

TransactionTestCase._fixture_teardown = empty_the_tables  # type: ignore[attr-defined]  # no public way
# Go on in the same session: a new one plans all triggers anew, which takes longer than most tests.
TransactionTestCase._should_reload_connections = lambda _: False  # type: ignore[attr-defined]  # no public way


LONGEST = [
    "interop/test_accessibility.py",
    "staff/test_scope.py",
    "api/test_hostile_requests.py",
    "server/test_serve.py",
    "demo/test_organizations.py",
    "server/test_slow_clients.py",
    "staff/test_every_page.py",
    "memberships/test_tenancy_graphs.py",
    "staff/test_tasks_in_a_browser.py",
    "demo/test_playground.py",
    "staff/test_support_in_a_browser.py",
    "demo/test_data_again.py",
    "api/test_docs_page.py",
    "server/test_frozen_database.py",
    "memberships/test_overlapping_polls.py",
    "staff/test_onboarding.py",
    "server/test_mail.py",
    "demo/test_own_account.py",
    "memberships/test_overlapping_writers.py",
    "interop/test_interop.py",
    "staff/test_organization_pages.py",
    "staff/test_queries.py",
    "memberships/test_exporting.py",
    "accounts/test_concurrency.py",
    "staff/test_undo_meanwhile.py",
    "staff/test_undo_of_any_change.py",
    "memberships/fast_path/test_callers.py",
    "memberships/fast_path/test_requests.py",
    "memberships/test_never_stale.py",
    "staff/test_plots_in_a_browser.py",
    "memberships/test_member_limits.py",
    "staff/test_choices_in_a_browser.py",
    "memberships/test_gone_meanwhile.py",
    "memberships/test_plans.py",
    "server/test_counts.py",
    "server/test_threads.py",
    "staff/test_history_in_a_browser.py",
    "staff/test_search_in_a_browser.py",
    "staff/test_saved_views_in_a_browser.py",
    "interop/test_challenge.py",
    "staff/test_undo.py",
]
"""The files that take longest, in the order in which they begin: one that began last would keep a process waiting.

One of the first three needs the demo: the others would wait while it is loaded.
"""


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, for a test that waits leaves its core to others."""
    return (os.cpu_count() or 1) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The process that has started all others, which have ended, tidies up after them."""
    if session.config.getoption("numprocesses", None) and "PYTEST_XDIST_WORKER" not in os.environ:
        drop_the_template()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    django_db_blocker: DjangoDbBlocker,
    django_db_keepdb: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ and not django_db_keepdb:
        with django_db_blocker.unblock():
            copy_a_template(tmp_path_factory.getbasetemp().parent)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    yield
    end_the_emptying_session()
    gc.collect()  # ends the sessions that nothing refers to: with one, the database cannot be dropped


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while modules are imported, which make hardly any: a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Collect garbage less often, and never look through what now stays to the end: a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 100, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; of the others, with those of the most tests."""
    rank = {str(FOLDER / name): number for number, name in enumerate(LONGEST)}
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (rank.get(str(item.path), len(rank)), -tests[item.path]))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    """Check the constraints of rows that a module shares once, rather than anew at the end of each of its tests."""
    made = yield
    if fixturedef.scope == "module" and connection.in_atomic_block:
        connection.check_constraints()
    return made


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    end_shared_rows(item)


@pytest.fixture
def user(deployment: Deployment) -> User:
    return UserFactory.create(deployment=deployment)


@pytest.fixture(autouse=True)
def _nothing_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's rows are rolled back after it, which the invalidation log does not show."""
    cache.clear()
    cache_what_is_not_committed(monkeypatch)
