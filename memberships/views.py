"""GET /me/workspace-memberships."""

from __future__ import annotations

import re
from typing import cast

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.sessions import SignedIn
from config.api.answers import answer
from config.api.errors import ApiError, Problem
from config.api.views import ApiViewSet, single_parameter
from config.client_address import client_address_of
from memberships import read, rendering
from memberships.schema import documented

MAX_ID = 2**63 - 1


class WorkspaceMembershipViewSet(ApiViewSet):
    """The signed-in user's workspace memberships."""

    @documented
    def list(self, request: Request) -> HttpResponse:
        caller = cast(SignedIn, request.auth)
        organization_id = organization_id_of(single_parameter(request, "org_id"))
        rows = read.workspace_membership_rows(
            user_id=caller.user.pk, deployment_id=caller.deployment.pk, organization_id=organization_id
        )
        if organization_id is not None and not rows:
            self.require_organization_membership(caller, organization_id)
        return answer(
            request,
            message="Your workspace memberships.",
            data=[
                rendering.workspace_membership(row, caller=caller, address=client_address_of(request)) for row in rows
            ],
            session=caller.session_summary,
        )

    def require_organization_membership(self, caller: SignedIn, organization_id: int) -> None:
        """Raise ``ApiError`` (404) for a non-member: the same whether or not the organization exists."""
        if not read.is_organization_member(
            user_id=caller.user.pk, deployment_id=caller.deployment.pk, organization_id=organization_id
        ):
            raise ApiError(Problem.NOT_A_MEMBER)


def organization_id_of(value: str) -> int | None:
    """The id that the parameter ``org_id`` holds, None if it is empty; raises ``ApiError`` (400) if it holds none."""
    if value == "":
        return None
    digits = value.lstrip("0") or "0"
    if not re.fullmatch(r"[0-9]+", value, re.ASCII) or len(digits) > 19 or int(digits) > MAX_ID:
        raise ApiError(Problem.INVALID_ORG_ID)
    return int(digits)
