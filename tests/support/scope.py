"""A row of every model that staff have pages of, in one deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User as Staff
from django.db.models import Model

from accounts.mail import outbox
from accounts.models import DeploymentAlias, MailText
from accounts.values.mail_texts import Template
from audit.models import AuditEntry
from memberships.models import OrganizationMembership, OrganizationMembershipRole
from organizations.models import OrganizationDomain, OrganizationSegment, UserSegment, WorkspaceSegment
from staff.models import SavedView
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
    join,
    organization_invitation,
    session_of,
)

SECRET = "weggesperrt"
"""In all private metadata."""
PAGES = {model: page for model, page in admin.site._registry.items() if hasattr(model, "deployment_path")}


def world_of(name: str) -> dict[type[Model], Any]:
    """A deployment with a row of every model, each called by ``name``, by model."""
    deployment = DeploymentFactory.create(name=name, host=f"{name}.example.com")
    private = {"private_metadata": {"note": SECRET}}
    user = UserFactory.create(deployment=deployment, email=f"user@{name}.example", **private)
    organization = OrganizationFactory.create(deployment=deployment, name=f"{name} organization", **private)
    workspace = WorkspaceFactory.create(organization=organization, name=f"{name} workspace", **private)
    organization_role = OrganizationRoleFactory.create(deployment=deployment, name=f"{name} role")
    workspace_role = WorkspaceRoleFactory.create(deployment=deployment, name=f"{name} role")
    membership = join(user, workspace, workspace_role)
    in_organization = OrganizationMembership.objects.get(user=user)
    OrganizationMembershipRole.objects.create(membership=in_organization, role=organization_role)
    links: list[Model] = []
    for type_, link, member in (
        ("user", UserSegment, user),
        ("organization", OrganizationSegment, organization),
        ("workspace", WorkspaceSegment, workspace),
    ):
        segment = SegmentFactory.create(deployment=deployment, name=f"{name} {type_}s", type=type_)
        links.append(link.objects.create(segment=segment, **{type_: member}))
    session = session_of(user)
    rows: list[Any] = [
        *(deployment, user, organization, workspace, organization_role, workspace_role, membership, in_organization),
        *(*links, segment, session, session.sign_ins.get(), deployment.signing_keys.get()),
        *(DeploymentAlias.objects.create(deployment=deployment, host=f"alias.{name}.example.com"),),
        *(confirmed_authenticator(user), backup_code(user), AuditEntry.objects.filter(deployment_id=deployment.pk)[0]),
        *(*membership.given_roles.all(), *in_organization.given_roles.all()),
        invitation(deployment, email=f"invited@{name}.example"),
        organization_invitation(organization, email=f"guest@{name}.example", workspace=workspace),
        OrganizationDomain.objects.create(organization=organization, fqdn=f"{name}.example"),
        outbox.send(deployment, to=user.email, template=Template.ADDRESS_TAKEN, values={}),
        MailText.objects.create(deployment=deployment, template="address_taken", subject=f"{name} subject", text=name),
    ]
    colleague = Staff.objects.create_user(name, is_staff=True)
    views = [
        SavedView(staff=colleague, model=model._meta.label_lower, name=f"{name} view", query=f"q={name}")
        for model in PAGES
    ]
    SavedView.objects.bulk_create(views)
    return {type(row): row for row in [*rows, views[0]]}


class World(Mapping[type[Model], Any]):
    """A row of each model; whoever takes one gets a copy of their own."""

    def __init__(self, rows: dict[type[Model], Any]) -> None:
        self.rows = rows

    def __getitem__(self, model: type[Model]) -> Any:
        return deepcopy(self.rows[model])

    def __iter__(self) -> Iterator[type[Model]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)
