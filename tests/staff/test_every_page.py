"""The pages for staff: each opens, costs the same for few rows and many, shows no secret, and answers at its hosts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User as Staff
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts.models import (
    Authenticator,
    BackupCode,
    CountedUser,
    DailyCount,
    FailureCount,
    Mail,
    MailedCode,
    Session,
    SignIn,
    SigningKey,
    SpentToken,
    User,
)
from accounts.values import encryption
from audit.models import AuditEntry
from memberships.models import (
    AdministeringRole,
    AdministeringUser,
    Administrator,
    EndedMembership,
    JoiningAddress,
    JoiningDomain,
)
from organizations.models import Organization, Segment, Workspace, WorkspaceRole
from staff.models import StaffAuthenticator, StaffBackupCodes, StaffDeployment
from staff.toolkit.inlines import INLINE_ROWS
from tests.support.admin import NEW_ROW, PAGES, choose_all_columns, few_queries, filled_in, send, url
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    SegmentFactory,
    UserFactory,
    WorkspaceFactory,
    backup_code,
    confirmed_authenticator,
    join,
    new_branch,
    session_of,
)

each_page = pytest.mark.parametrize("model", PAGES, ids=lambda model: model._meta.label)
READ_ONLY = {AuditEntry, SigningKey, Authenticator, BackupCode, Session, SignIn, Mail}


def queries_of(client: Client, address: str) -> int:
    ContentType.objects.get_for_models(*PAGES)  # what is read once per process does not count
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


@pytest.mark.parametrize("app", ["accounts", "organizations", "memberships"])
def test_every_model_has_pages_or_a_place_on_anothers(app: str) -> None:
    pages: list[Any] = [admin.site._registry[model] for model in PAGES]
    inlines = {inline.model for page in pages for inline in page.get_inlines(None, None)}
    inlines |= {inline.model for type_ in Segment.Type for inline in _segment_inlines(type_)}
    of_no_interest = {
        FailureCount,
        MailedCode,
        AuditEntry,
        StaffDeployment,
        SpentToken,
        StaffAuthenticator,
        StaffBackupCodes,
        *(Administrator, AdministeringRole, AdministeringUser),
        *(EndedMembership, JoiningAddress, JoiningDomain),
        *(CountedUser, DailyCount),
    }  # hashes and numbers; a choice on the page of StaffAccess; one's own MFA; what triggers keep
    assert set(apps.get_app_config(app).get_models()) <= {*PAGES, *inlines, *of_no_interest}


def _segment_inlines(type_: Segment.Type) -> Any:
    return admin.site.get_model_admin(Segment).get_inlines(None, Segment(type=type_))  # type: ignore[arg-type]  # the page needs no request


@each_page
def test_another_id_or_a_strange_search_finds_nothing(admin_client: Client, model: type[Model]) -> None:
    """The file of a list has the rows that its page shows, and takes a fraction of the time."""
    NEW_ROW[model]()
    address = url(model, "changelist")
    rows = {
        term: admin_client.get(f"{address}export/jsonl/", {"q": term}).getvalue().splitlines()
        for term in ("9" * 17, "%", "9" * 19, "9" * 40, "²", 'a "b c')
    }
    assert [term for term, found in rows.items() if found] == []
    assert admin_client.get(address, {"q": "\0"}).status_code == 200  # Django's own form refuses it


@each_page
def test_a_list_with_all_columns_costs_the_same_for_2_rows_and_4(admin_client: Client, model: type[Model]) -> None:
    choose_all_columns(Staff.objects.get(), model)
    costs = []
    for _ in range(2):
        NEW_ROW[model]()
        NEW_ROW[model]()
        costs.append(queries_of(admin_client, url(model, "changelist")))
    assert costs[0] == costs[1]


@each_page
def test_its_pages_open_save_what_they_show_and_delete_the_row(admin_client: Client, model: type[Model]) -> None:
    """None shows a secret. Those that are read only, and the deletion of the audit log, are refused."""
    row, secrets = _row_and_secrets(model)
    before = model._base_manager.values().get(pk=row.pk)
    change, delete = url(row, "change"), url(row, "delete")
    pages = {
        address: _opened(admin_client, address) for address in (url(model, "changelist"), url(model, "add"), change)
    }
    assert pages[url(model, "add")].status_code == (403 if model in READ_ONLY else 200)
    form = {} if model in READ_ONLY else filled_in(pages[change])
    assert admin_client.post(change, form).status_code == (403 if model in READ_ONLY else 302)
    assert model._base_manager.values().get(pk=row.pk) == before
    pages[delete] = admin_client.get(delete)
    assert pages[delete].status_code == (403 if model is AuditEntry else 200)
    shown = {address: page.content.decode() for address, page in pages.items()}
    assert [address for address, text in shown.items() if address != url(model, "add") and str(row) not in text] == (
        [delete] if model is AuditEntry else []
    )
    assert [(address, secret) for address, text in shown.items() for secret in secrets if secret in text] == []
    gone = admin_client.post(delete, {"post": "yes", "typed_name": str(row)})
    assert gone.status_code == (403 if model is AuditEntry else 302)
    assert model._base_manager.filter(pk=row.pk).exists() == (model is AuditEntry)


def _opened(client: Client, address: str) -> Any:
    """The page, which takes few queries, and none twice."""
    with few_queries(address) as sent:
        page = client.get(address)
    assert [sql for sql, times in Counter(sent).items() if times > 1] == [], address
    return page


@each_page
def test_rows_that_belong_to_the_row_are_linked_and_listed_alone(admin_client: Client, model: type[Model]) -> None:
    row, other = NEW_ROW[model](), NEW_ROW[model]()
    page: Any = admin.site._registry[model]
    for address in _links(page, row):
        response = admin_client.get(address)
        assert response.status_code == 200
        assert response.context["cl"].queryset.filter(**_related(address, other)).count() == 0


def _links(page: Any, row: Model) -> list[str]:
    return [part.split('"')[0] for part in str(page.see_also(row)).split('href="')[1:]]


def _related(address: str, row: Model) -> dict[str, Any]:
    return {address.partition("?")[2].partition("=")[0]: row.pk}


def test_a_page_costs_the_same_for_any_number_of_related_rows(admin_client: Client) -> None:
    branch = new_branch()
    costs: list[list[int]] = []
    for more in (1, 3, INLINE_ROWS):
        for _ in range(more):
            _fill(branch.organization, branch.workspace, branch.user)
        segment = Segment.objects.filter(deployment=branch.deployment, type=Segment.Type.USER).earliest("pk")
        for _ in range(more):
            segment.user_segments.create(user=UserFactory.create(deployment=branch.deployment))
        rows = (branch.deployment, branch.organization, branch.workspace, branch.user, segment)
        costs.append([queries_of(admin_client, url(row, "change")) for row in rows])
    assert costs == [costs[0]] * 3
    assert max(costs[0]) <= 15


def test_a_page_lists_the_newest_rows_alone(admin_client: Client) -> None:
    """With hundreds of rows, the form would have more fields than Django accepts."""
    branch = new_branch()
    for _ in range(INLINE_ROWS + 2):
        _fill(branch.organization, branch.workspace, branch.user)
    oldest, *others = branch.organization.memberships.order_by("pk")
    page = admin_client.get(url(branch.organization, "change")).content.decode()
    assert url(others[-1], "change") in page
    assert url(oldest, "change") not in page
    assert f'name="memberships-TOTAL_FORMS" value="{INLINE_ROWS}"' in page
    assert send(admin_client, url(branch.organization, "change")).status_code == 302


def _fill(organization: Organization, workspace: Workspace, user: User) -> None:
    """One more of everything that the pages of these three list."""
    join(UserFactory.create(deployment=user.deployment), workspace)
    join(user, WorkspaceFactory.create(organization=OrganizationFactory.create(deployment=user.deployment)))
    WorkspaceFactory.create(organization=organization)
    session_of(user)
    for type_, member in (
        (Segment.Type.ORGANIZATION, organization),
        (Segment.Type.WORKSPACE, workspace),
        (Segment.Type.USER, user),
    ):
        segment = SegmentFactory.create(deployment=user.deployment, type=type_)
        getattr(member, f"{type_}_segments").create(segment=segment)


def _row_and_secrets(model: type[Model]) -> tuple[Model, list[str]]:
    """A row of ``model``, and all secrets of a user who has signed in with everything there is."""
    user = UserFactory.create()
    user.set_password("correct horse battery staple")
    user.save()
    authenticator = confirmed_authenticator(user)
    code = backup_code(user)
    session = session_of(user)
    key = user.deployment.signing_keys.get()
    secrets = [
        user.password,
        code.code_hash,
        *(text for secret in (authenticator.secret, key.private_key) for text in _texts(secret)),
    ]
    own: dict[type[Model], Model] = {
        type(row): row for row in (user, authenticator, code, session, session.sign_ins.get(), key, user.deployment)
    }
    return own.get(model) or NEW_ROW[model](), secrets


def _texts(encrypted: Any) -> list[str]:
    """Some lines that a page would show of a secret, encrypted or not."""
    plain = encryption.decrypt(encrypted).decode()
    return [bytes(encrypted).decode(), plain.splitlines()[len(plain.splitlines()) // 2]]


def test_a_deployment_filter_that_is_too_long_to_show_still_filters(admin_client: Client) -> None:
    users = [UserFactory.create(deployment=deployment) for deployment in DeploymentFactory.create_batch(52)]
    address = url(User, "changelist")
    response = admin_client.get(address, {"deployment__id__exact": users[7].deployment_id})
    assert list(response.context["cl"].queryset) == [users[7]]
    assert str(users[9].deployment) not in admin_client.get(address, {"q": users[7].email}).content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/login/",
        "/admin/logout/",
        "/admin/password_change/",
        "/admin/jsi18n/",
        "/admin/autocomplete/",
        "/admin/accounts/",
        "/admin/accounts/user/",
        "/admin/accounts/user/1/change/",
        "/admin/r/1/1/",
        "/admin/nowhere/",
    ],
)
def test_the_admin_answers_at_its_hosts_alone(admin_client: Client, settings: Settings, path: str) -> None:
    settings.ADMIN_HOSTS = ["Admin.example.com"]
    assert admin_client.get(path, HTTP_HOST="tenant.example.com").status_code == 404
    assert admin_client.post(path, HTTP_HOST="tenant.example.com").status_code == 404


@pytest.mark.parametrize("host", ["admin.example.com", "ADMIN.example.com:8443", "admin.example.com."])
def test_the_admin_answers_at_its_hosts_in_any_spelling(admin_client: Client, settings: Settings, host: str) -> None:
    settings.ADMIN_HOSTS = ["Admin.example.com"]
    assert admin_client.get("/admin/", HTTP_HOST=host).status_code == 200
    assert Client().get("/admin/login/", HTTP_HOST=host).status_code == 200


def test_without_admin_hosts_the_admin_answers_everywhere(admin_client: Client, settings: Settings) -> None:
    settings.ADMIN_HOSTS = []
    assert admin_client.get("/admin/", HTTP_HOST="tenant.example.com").status_code == 200


def test_a_choice_says_which_one_it_is(admin_client: Client) -> None:
    """Names are not unique across deployments."""
    workspace = WorkspaceFactory.create(name="Harbour")
    response = admin_client.get(
        "/admin/autocomplete/",
        {"app_label": "memberships", "model_name": "workspacemembership", "field_name": "workspace", "term": "harb"},
    )
    (choice,) = response.json()["results"]
    organization = workspace.organization
    assert choice == {"id": str(workspace.pk), "text": f"Harbour ({organization}, {organization.deployment})"}


def test_choices_cost_the_same_for_3_rows_and_20(admin_client: Client) -> None:
    address = "/admin/autocomplete/?app_label=memberships&model_name=workspacemembershiprole&field_name=role"
    for _ in range(3):
        NEW_ROW[WorkspaceRole]()
    of_few = queries_of(admin_client, address)
    for _ in range(17):
        NEW_ROW[WorkspaceRole]()
    assert queries_of(admin_client, address) == of_few


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("/admin/memberships/workspacemembership/", "Workspace memberships"),
        ("/admin/memberships/workspacemembership/add/", "Workspace memberships"),
        ("/admin/memberships/workspacemembership/import/", "Import memberships"),
    ],
)
def test_the_sidebar_marks_the_one_entry_where_one_is(admin_client: Client, address: str, entry: str) -> None:
    groups = admin_client.get(address).context["sidebar_navigation"]
    assert [item["title"] for group in groups for item in group["items"] if item["active"]] == [entry]
