"""Imports memberships from text."""

from __future__ import annotations

import io
from typing import Any

from accounts.models import Deployment
from memberships.import_export.importing import Report, run_import
from memberships.models import OrganizationMembership, WorkspaceMembership

HEADER = "organization,workspace,user,roles,organization_roles,public_metadata"


def run(content: str | bytes, **options: Any) -> Report:
    data = content if isinstance(content, bytes) else content.encode()
    *_, last = run_import(io.BytesIO(data), deployments=Deployment.objects.all(), **options)
    assert isinstance(last, Report)
    return last


def lines(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


def told(report: Report) -> dict[int, str]:
    return {error.line: error.message for error in report.errors}


def everything() -> list[Any]:
    """All that an import may write, with ids and times."""
    return [
        list(model.objects.order_by("pk").values("pk", "public_metadata", "updated_at", "roles"))
        for model in (OrganizationMembership, WorkspaceMembership)
    ]
