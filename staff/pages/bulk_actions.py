"""The actions on many rows, in the lists of users, sessions, keys and memberships."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.http import HttpRequest

from memberships.models import (
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from staff import bulk_changes
from staff.access.permissions import visible_to
from staff.bulk_changes import Change
from staff.toolkit.bulk_actions import BulkAction, NothingToAsk
from staff.toolkit.choices import attend, several


class AddForm(NothingToAsk):
    """The form for an organization or a workspace, and roles in it; the links of ``link`` hold these."""

    def __init__(self, link: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        membership = link._meta.get_field("membership").related_model
        self.place = membership._meta.get_field(membership.parent)
        self.role = link._meta.get_field("role")
        page: Any = admin.site.get_model_admin(self.place.related_model)
        places = self.place.related_model._default_manager.select_related(*page.list_select_related)
        self.fields[self.place.name] = forms.ModelChoiceField(
            visible_to(request.user, places), widget=AutocompleteSelect(self.place, admin.site)
        )
        self.fields["roles"] = several(link, "role", request, help_text="Added to the roles that they have.")

    def offer_to(self, rows: list[Any]) -> None:
        given = _common(rows, deployment="deployment_id")
        attend(self.place, self.fields[self.place.name].widget, **given)
        attend(self.role, self.fields["roles"].widget, **given)


class ChangeRolesForm(NothingToAsk):
    """The form for roles to give and to remove; the links of ``link`` hold them."""

    def __init__(self, link: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.link = link
        self.fields["give"] = several(link, "role", request, label="Roles to add")
        self.fields["take"] = several(link, "role", request, label="Roles to remove")

    def offer_to(self, rows: list[Any]) -> None:
        role = self.link._meta.get_field("role")
        place = "workspace" if hasattr(rows[0], "workspace") else "organization"
        given = (
            _common(rows, **{place: f"{place}_id"})
            or _common(rows, organization="organization_id")
            or _common(rows, deployment=f"{place}.deployment_id")
        )
        for field in self.fields.values():
            attend(role, field.widget, **given)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not data.get("give") and not data.get("take"):
            raise forms.ValidationError("Choose roles to add or to remove.")
        return data


def _common(rows: list[Any], **paths: str) -> dict[str, int]:
    """The ids at the ``paths`` that are the same for all ``rows``, by name."""
    found = {name: set(map(attrgetter(path), rows)) for name, path in paths.items()}
    return {name: ids.pop() for name, ids in found.items() if len(ids) == 1}


_SESSIONS = ("accounts.change_session", "accounts.change_signin")


def _action(
    name: str,
    description: str,
    *permissions: str,
    change: Callable[[list[Any]], list[Change]],
    related: tuple[str, ...] = (),
) -> BulkAction:
    """An action that needs to know nothing but its rows."""
    return BulkAction(name, description, permissions, lambda rows, _: change(rows), select_related=related)


def _change_roles(link: Any, *related: str) -> BulkAction:
    name = link._meta.model_name
    return BulkAction(
        name="change_roles",
        description="Change roles",
        permissions=(f"memberships.add_{name}", f"memberships.delete_{name}"),
        run=lambda rows, data: bulk_changes.change_roles(rows, data["give"], data["take"]),
        form=partial(ChangeRolesForm, link),
        select_related=related,
    )


def _remove(model: Any, description: str, *related: str) -> BulkAction:
    permissions = (f"memberships.delete_{model._meta.model_name}", "memberships.delete_workspacemembership")
    return _action("remove", description, *permissions, change=bulk_changes.remove, related=related)


USER_ACTIONS = (
    BulkAction(
        name="add_to_workspace",
        description="Add to a workspace",
        permissions=(
            "memberships.add_organizationmembership",
            "memberships.add_workspacemembership",
            "memberships.add_workspacemembershiprole",
        ),
        run=lambda rows, data: bulk_changes.add_to_workspace(rows, data["workspace"], data["roles"]),
        form=partial(AddForm, WorkspaceMembershipRole),
        select_related=("deployment",),
    ),
    BulkAction(
        name="add_to_organization",
        description="Add to an organization",
        permissions=("memberships.add_organizationmembership", "memberships.add_organizationmembershiprole"),
        run=lambda rows, data: bulk_changes.add_to_organization(rows, data["organization"], data["roles"]),
        form=partial(AddForm, OrganizationMembershipRole),
        select_related=("deployment",),
    ),
    _action(
        "mail_password_reset",
        "Send a password reset",
        "accounts.change_user",
        change=bulk_changes.mail_password_resets,
        related=("deployment",),
    ),
    _action(
        "reset_mfa",
        "Reset MFA",
        *_SESSIONS,
        "accounts.delete_authenticator",
        "accounts.delete_backupcode",
        change=bulk_changes.reset_mfa,
        related=("deployment",),
    ),
    _action("sign_out", "Sign out everywhere", *_SESSIONS, change=bulk_changes.sign_out),
    _action("disable", "Disable", "accounts.change_user", change=partial(bulk_changes.set_disabled, disabled=True)),
    _action("enable", "Enable", "accounts.change_user", change=partial(bulk_changes.set_disabled, disabled=False)),
    _action("erase", "Erase", "accounts.delete_user", change=bulk_changes.erase, related=("deployment",)),
    _action(
        "offboard",
        "Offboard: sign out, remove from everything, disable",
        *_SESSIONS,
        "accounts.change_user",
        "memberships.delete_organizationmembership",
        "memberships.delete_workspacemembership",
        change=bulk_changes.offboard,
    ),
)
SIGN_IN_ACTIONS = (_action("end", "End sign-ins", *_SESSIONS, change=bulk_changes.end_sign_ins, related=("user",)),)
SESSION_ACTIONS = (_action("end", "End sessions", *_SESSIONS, change=bulk_changes.end_sessions),)
WORKSPACE_MEMBERSHIP_ACTIONS = (
    _change_roles(WorkspaceMembershipRole, "user", "workspace__organization"),
    _remove(WorkspaceMembership, "Remove from the workspace", "user", "workspace"),
)
ORGANIZATION_MEMBERSHIP_ACTIONS = (
    _change_roles(OrganizationMembershipRole, "user", "organization"),
    _remove(OrganizationMembership, "Remove from the organization", "user", "organization"),
)
SIGNING_KEY_ACTIONS = (
    _action(
        "retire", "Retire keys: they no longer sign", "accounts.change_signingkey", change=bulk_changes.retire_keys
    ),
    _action(
        "revoke", "Revoke keys: their tokens are refused", "accounts.change_signingkey", change=bulk_changes.revoke_keys
    ),
)
DEPLOYMENT_ACTIONS = (
    _action(
        "create_new_signing_key",
        "Create a new signing key",
        "accounts.add_signingkey",
        change=bulk_changes.sign_with_new_keys,
    ),
)


MAIL_ACTIONS = (
    BulkAction(
        name="send_again",
        description="Send again",
        permissions=("accounts.change_mail",),
        run=lambda rows, _: bulk_changes.send_again(rows),
    ),
)
INVITATION_ACTIONS = (
    _action(
        "send_again",
        "Send again",
        "accounts.change_signupinvitation",
        change=bulk_changes.invite_again,
        related=("deployment",),
    ),
)
ORGANIZATION_INVITATION_ACTIONS = (
    _action(
        "send_again",
        "Send again",
        "memberships.change_organizationinvitation",
        change=bulk_changes.invite_to_organization_again,
        related=("organization__deployment", "workspace", "inviter__user"),
    ),
    _action(
        "discard",
        "Discard",
        "memberships.change_organizationinvitation",
        change=bulk_changes.discard_invitations,
    ),
)
