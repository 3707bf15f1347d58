"""The overview of a user: who they are, where they are signed in, and what they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import Count, Max, Q
from django.http import HttpRequest

from accounts.answers.browsers import client_of
from accounts.models import EmailAddress, SignIn, User
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import UserSegment
from staff.toolkit.links import link, names
from staff.toolkit.overview import Facts, Part, WithOverview, day, opened, part


class UserOverview(WithOverview):
    """The part of a user's pages that is their overview."""

    def get_overview_queryset(self, request: HttpRequest) -> Any:
        ready = Q(authenticators__confirmed_at__isnull=False)
        return (
            super()
            .get_overview_queryset(request)
            .annotate(
                ready=Count("authenticators", filter=ready, distinct=True),
                codes=Count("backup_codes", filter=Q(backup_codes__used_at__isnull=True), distinct=True),
                last_sign_in=Max("sign_ins__created_at"),
            )
        )

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        yield "State", "disabled" if row.disabled else "enabled"
        yield "Name", f"{row.first_name} {row.last_name}".strip()
        yield "E-mail address", row.email
        yield "Username", row.username
        yield "Id", str(row.pk)
        yield "External id", f"{row.external_id} {row.external_issuer}".strip()
        yield "Deployment", link(row.deployment)
        yield "Last sign-in (UTC)", f"{row.last_sign_in:%Y-%m-%d %H:%M}" if row.last_sign_in else "never"
        yield "Password", "set" if row.password else "none"
        yield "MFA", f"on, {row.codes} unused backup codes" if row.ready else "off"
        yield "Created", day(row)

    def parts(self, request: HttpRequest, row: User) -> Iterator[Part]:
        owner = {"user": row}
        state = admin.site.get_model_admin(SignIn).state  # type: ignore[attr-defined]  # of EndableAdmin
        yield part(
            request,
            SignIn.objects.select_related("session"),
            owner,
            {
                "Device": opened(lambda sign_in: client_of(sign_in.user_agent) or "unknown"),
                "IP address": lambda sign_in: sign_in.ip_address,
                "Last activity (UTC)": lambda sign_in: f"{sign_in.last_active_at or sign_in.created_at:%Y-%m-%d %H:%M}",
                "State": state,
            },
            title="Sessions",
        )
        yield part(
            request,
            OrganizationMembership.objects.select_related("organization"),
            owner,
            {
                "Organization": lambda membership: link(membership.organization),
                "Roles": lambda membership: names(membership.roles.all()),
                "Since": opened(day),
            },
            prefetch=("roles",),
        )
        yield part(
            request,
            WorkspaceMembership.objects.select_related("workspace", "organization"),
            owner,
            {
                "Workspace": lambda membership: link(membership.workspace),
                "Organization": lambda membership: link(membership.organization),
                "Roles": lambda membership: names(membership.roles.all()),
                "Since": opened(day),
            },
            prefetch=("roles",),
        )
        yield part(
            request,
            EmailAddress.objects.all(),
            owner,
            {
                "Address": lambda address: address.email,
                "Primary": lambda address: "primary" if address.is_primary else "",
                "Verified": lambda address: f"{address.verified_at:%Y-%m-%d}" if address.verified_at else "no",
            },
        )
        yield part(
            request,
            UserSegment.objects.select_related("segment"),
            owner,
            {"Segment": lambda each: link(each.segment)},
            title="Segments",
        )

    def unneeded(self, row: Any) -> set[str]:
        return {
            "disable" if row.disabled else "enable",
            *([] if row.ready else ["reset_mfa"]),
            *([] if row.email and row.password and not row.disabled else ["mail_password_reset"]),
        }
