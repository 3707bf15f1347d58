"""The pages for staff as a browser sees them: a row for each, their forms filled in and sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.mail import outbox
from accounts.models import (
    Authenticator,
    BackupCode,
    Deployment,
    Mail,
    MailText,
    Session,
    SignIn,
    SigningKey,
    SignUpInvitation,
    User,
)
from accounts.values.mail_texts import Template
from audit.models import AuditEntry
from memberships.models import (
    OrganizationInvitation,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import Organization, OrganizationDomain, OrganizationRole, Segment, Workspace, WorkspaceRole
from staff.models import SavedView, StaffAccess
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    SegmentFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    backup_code,
    confirmed_authenticator,
    invitation,
    member_of_new_workspace,
    organization_invitation,
    session_of,
    staff,
)

PAGES: list[type[Model]] = [
    model
    for app in ("accounts", "organizations", "memberships", "audit", "staff")
    for model in apps.get_app_config(app).get_models()
    if admin.site.is_registered(model)
]


MOST_QUERIES = 15


def url(model: type[Model] | Model, page: str) -> str:
    """The address of the "changelist" or "add" page of a model, or of the "change" or "delete" page of a row."""
    args = [model.pk] if isinstance(model, Model) else []
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def _workspace_role() -> WorkspaceRole:
    workspace = WorkspaceFactory.create()
    organization = workspace.organization
    return WorkspaceRoleFactory.create(
        deployment=organization.deployment, organization=organization, workspace=workspace
    )


def _domain() -> OrganizationDomain:
    organization = OrganizationFactory.create()
    return OrganizationDomain.objects.create(organization=organization, fqdn=f"firm{organization.pk}.example")


def _organization_role() -> OrganizationRole:
    organization = OrganizationFactory.create()
    return OrganizationRoleFactory.create(deployment=organization.deployment, organization=organization)


def _organization_membership() -> OrganizationMembership:
    membership = OrganizationMembership.objects.get(user=member_of_new_workspace(UserFactory.create()).user_id)
    role = OrganizationRoleFactory.create(deployment=membership.deployment)
    OrganizationMembershipRole.objects.create(membership=membership, role=role)
    return membership


def _workspace_membership() -> WorkspaceMembership:
    membership = member_of_new_workspace(UserFactory.create())
    role = WorkspaceRoleFactory.create(deployment=membership.user.deployment)
    WorkspaceMembershipRole.objects.create(membership=membership, role=role)
    return membership


def _audit_entry() -> AuditEntry:
    return AuditEntry.objects.get(model="organizations.segment", object_id=SegmentFactory.create().pk)


def _mail() -> Mail:
    return outbox.send(
        DeploymentFactory.create(),
        to="ada@example.com",
        template=Template.SIGN_IN_CODE,
        values={"code": "492039", "minutes": "10"},
    )


def _mail_text() -> MailText:
    text = Template.SIGN_IN_CODE.default
    return MailText.objects.create(
        deployment=DeploymentFactory.create(), template=Template.SIGN_IN_CODE, subject=text.subject, text=text.text
    )


NEW_ROW: dict[type[Model], Callable[[], Model]] = {
    Deployment: DeploymentFactory.create,
    SigningKey: lambda: DeploymentFactory.create().signing_keys.get(),
    User: UserFactory.create,
    Authenticator: lambda: confirmed_authenticator(UserFactory.create()),
    BackupCode: lambda: backup_code(UserFactory.create()),
    Session: lambda: session_of(UserFactory.create()),
    SignUpInvitation: lambda: invitation(DeploymentFactory.create()),
    OrganizationInvitation: lambda: organization_invitation(OrganizationFactory.create()),
    SignIn: lambda: session_of(UserFactory.create()).sign_ins.get(),
    Mail: _mail,
    MailText: _mail_text,
    Segment: SegmentFactory.create,
    Organization: OrganizationFactory.create,
    OrganizationDomain: _domain,
    Workspace: WorkspaceFactory.create,
    OrganizationRole: _organization_role,
    WorkspaceRole: _workspace_role,
    OrganizationMembership: _organization_membership,
    WorkspaceMembership: _workspace_membership,
    AuditEntry: _audit_entry,
    StaffAccess: lambda: StaffAccess.objects.get(user=staff(DeploymentFactory.create())),
}
"""Makes one more row of a model, none of whose related rows any other has."""


def choose_all_columns(member: Any, model: type[Model]) -> None:
    """Have the list of ``model`` show ``member`` all columns that it offers."""
    page: Any = admin.site.get_model_admin(model)
    SavedView.objects.create(staff=member, model=model._meta.label_lower, columns=page.offered_columns())


@contextmanager
def few_queries(*case: object, at_most: int = MOST_QUERIES) -> Iterator[list[str]]:
    """All that the block sends to the database: few queries, none of which counts a whole table."""
    sent: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield sent
    sent += [item["sql"] for item in captured]
    assert len(sent) <= at_most, case
    assert [sql for sql in sent if "COUNT(" in sql and "LIMIT" not in sql and "WHERE" not in sql] == [], case


def form_at(client: Client, address: str) -> dict[str, str]:
    """The fields of the form of the page at ``address``, as a browser would send them."""
    page = client.get(address)
    assert page.status_code == 200
    return filled_in(page)


def send(client: Client, address: str, **changes: Any) -> Any:
    """Open the page at ``address``, change some fields of its form, and send it."""
    return client.post(address, form_at(client, address) | changes)


def add_to_inline(client: Client, address: str, prefix: str, *rows: dict[str, Any], **changes: Any) -> Any:
    """Add ``rows`` to the inline ``prefix`` of the page at ``address``, change some other fields, and send it."""
    form: dict[str, Any] = form_at(client, address)
    present = int(form[f"{prefix}-TOTAL_FORMS"])
    form[f"{prefix}-TOTAL_FORMS"] = str(present + len(rows))
    for number, row in enumerate(rows, start=present):
        form |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return client.post(address, form | changes)


def choose(client: Client, action: str, *rows: Model, everything: bool = False) -> Any:
    """Choose an action on ``rows`` in their list; gives the page on which one lands, a preview or a question."""
    data = {"action": action, "_selected_action": [row.pk for row in rows], "select_across": str(int(everything))}
    return client.post(url(type(rows[0]), "changelist"), data | {"index": "0"})


def go_on(client: Client, action: str, *rows: Model, press: str = "apply", **answers: Any) -> Any:
    """Fill in the page on which ``choose`` lands, and press a button there."""
    ids = ",".join(str(row.pk) for row in rows)
    data = {"action": action, "_selected_action": [rows[0].pk], "select_across": "1", "ids": ids, press: "1"}
    return client.post(url(type(rows[0]), "changelist"), data | answers)


def saved(response: Any) -> bool:
    """Whether the form was accepted: the browser is sent elsewhere."""
    assert response.status_code in (200, 302)
    return bool(response.status_code == 302)


def errors(response: Any) -> str:
    """All errors of a form that was not accepted, as text."""
    assert not saved(response), "the form was accepted"
    context = response.context
    listed = [context["adminform"].form.errors]
    for inline in context["inline_admin_formsets"]:
        listed += [*inline.formset.errors, {"": inline.formset.non_form_errors()}]
    texts = [str(message) for fields in listed for messages in fields.values() for message in messages]
    visible = _visible(_form_of(response))
    for text in texts:
        assert " ".join(text.split()) in visible, "the page does not show the error"
    return "\n".join(texts)


def _visible(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    return " ".join("".join(parser.texts).split())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _form_of(page: Any) -> str:
    """The HTML of the form of the page, without all that is around it, which would take longer to parse."""
    html = page.content.decode()
    middle = html.find(f'id="{page.context["opts"].model_name}_form"')
    assert middle >= 0, "the page has no form"
    return str(html[html.rindex("<form", 0, middle) : html.index("</form>", middle)])


def filled_in(page: Any) -> dict[str, str]:
    parser = _Fields()
    parser.feed(_form_of(page))
    return parser.fields


class _Fields(HTMLParser):
    """The fields that a browser would send of a form as it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.select = ""
        self.textarea = ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        name = values.get("name", "")
        if tag == "input" and values["type"] != "submit" and (values["type"] != "checkbox" or "checked" in values):
            self.fields[name] = values.get("value", "on" if values["type"] == "checkbox" else "")
        elif tag == "textarea":
            self.textarea = name
            self.fields[name] = ""
        elif tag == "select":
            self.select = name
        elif tag == "option" and "selected" in values:
            self.fields[self.select] = values["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.textarea = ""

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.fields[self.textarea] += data.removeprefix("\n") if not self.fields[self.textarea] else data
