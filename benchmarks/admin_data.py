"""Rows beside those of ``load_scale``, for the pages of staff: an organization of everybody, sign-ins, counts."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accounts.models import Deployment, User
    from organizations.models import Organization, Workspace

EVERYBODY = "Everybody"
SHARED_IP = "198.51.100.7"
"""The address of every tenth sign-in, as of a large office."""
PIECE = 100_000

_MEMBERS = """
    INSERT INTO memberships_organizationmembership (deployment_id, organization_id, user_id, created_at)
    SELECT deployment_id, %s, id, now() - abs(hashint8(id)::bigint) %% 10000000 * interval '1 second'
    FROM accounts_user WHERE deployment_id = %s
"""
_WORKSPACE_MEMBERS = """
    UPDATE memberships_workspacemembership here SET created_at = above.created_at
    FROM memberships_organizationmembership above
    WHERE here.organization_id = %s AND above.organization_id = %s AND above.user_id = here.user_id
"""
_SIGN_INS = """
    WITH users AS (
        SELECT id, row_number() OVER (ORDER BY id) - 1 AS place
        FROM accounts_user WHERE deployment_id = %(deployment)s
    ), session AS (
        INSERT INTO accounts_session (deployment_id, expires_at)
        SELECT %(deployment)s, now() + interval '30 days' FROM generate_series(1, %(number)s)
        RETURNING id, deployment_id, expires_at
    )
    INSERT INTO accounts_signin (deployment_id, session_id, user_id, expires_at, ip_address, user_agent)
    SELECT session.deployment_id, session.id, users.id, session.expires_at,
        CASE WHEN session.id %% 10 = 0 THEN %(shared)s ELSE inet '100.64.0.0' + session.id %% 4000000 END,
        'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
    FROM session JOIN users ON users.place = session.id %% %(users)s
    RETURNING session_id
"""
_ACTIVE = """
    UPDATE accounts_session session SET active_sign_in_id = sign_in.id FROM accounts_signin sign_in
    WHERE sign_in.session_id = session.id AND session.id >= %s
"""


def everybody(deployment: Deployment) -> Organization:
    """The organization of which all users of ``deployment`` are members, and members of its workspace as well."""
    from django.db import connection, transaction

    from audit import triggers
    from demo import scale
    from organizations.models import Organization, Workspace

    found = Organization.objects.filter(deployment=deployment, name=EVERYBODY).first()
    if found is not None:
        return found
    with transaction.atomic(), connection.cursor() as cursor:
        organization = Organization.objects.create(deployment=deployment, name=EVERYBODY)
        organization.auto_assigned_workspace = Workspace.objects.create(organization=organization, name=EVERYBODY)
        organization.save()
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(triggers.PAUSE_AUDIT)
        cursor.execute(_MEMBERS, [organization.pk, deployment.pk])
        cursor.execute(_WORKSPACE_MEMBERS, [organization.pk, organization.pk])
    scale.vacuum()
    return organization


def fill_sign_ins(deployment: Deployment, number: int) -> None:
    """Have at least so many sign-ins, each in a session of its own, of all users in turn."""
    from django.db import connection, transaction

    from accounts.models import SignIn, User
    from demo import scale

    users = User.objects.filter(deployment=deployment).count()
    missing = number - SignIn.objects.filter(deployment=deployment).count()
    for size in [min(PIECE, missing - done) for done in range(0, missing, PIECE)]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            values: dict[str, Any] = {"deployment": deployment.pk, "number": size, "shared": SHARED_IP, "users": users}
            cursor.execute(_SIGN_INS, values)
            cursor.execute(_ACTIVE, [min(pk for (pk,) in cursor)])
    if missing > 0:
        scale.vacuum()


def fill_counts(deployments: Iterable[Deployment]) -> None:
    """Have counts of all kinds and days in each deployment, as twenty connections have counted them."""
    from accounts import counting
    from accounts.models import DailyCount

    DailyCount.objects.bulk_create(
        (
            DailyCount(
                deployment=deployment, day=counting.today() - timedelta(days=ago), kind=kind, slot=slot, number=9
            )
            for deployment in deployments
            for ago in range(counting.DAYS)
            for kind in counting.Kind
            for slot in range(-20, 0)
        ),
        batch_size=10_000,
        ignore_conflicts=True,
    )


def changed_together(workspace: Workspace, number: int) -> Any:
    """The group of one action, which has changed so many memberships of ``workspace``."""
    from django.db import connection, transaction

    from audit import groups
    from memberships.models import WorkspaceMembership

    with transaction.atomic(), connection.cursor() as cursor:
        rows = WorkspaceMembership.objects.filter(workspace=workspace).order_by("pk")[:number]
        for row in rows:
            row.public_metadata = {"desk": row.public_metadata.get("desk", 0) + 1}
        WorkspaceMembership.objects.bulk_update(rows, ["public_metadata"])
        groups.name("Move desks")
        cursor.execute("SELECT audit_group()")
        return (cursor.fetchone() or (None,))[0]


def import_file(deployment: Deployment, workspace: Workspace, users: Iterable[User]) -> io.BytesIO:
    """A file that has ``users`` join ``workspace``."""
    lines = [
        ",".join([deployment.host, f"#{workspace.organization_id}", f"#{workspace.pk}", user.email, "Member"])
        for user in users
    ]
    file = io.BytesIO("\n".join(["deployment,organization,workspace,user,roles", *lines, ""]).encode())
    file.name = "members.csv"
    return file
