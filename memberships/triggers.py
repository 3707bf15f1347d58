"""Triggers for two rules of membership: an organization keeps an administrator, and joining it joins a workspace.

``memberships_administrator`` lists the administrators there are. The triggers of links, roles and users keep that
list; the one of the list itself refuses that an organization's last administrator goes.
"""

from __future__ import annotations

import pgtrigger

from api.errors import LAST_ADMIN
from audit.triggers import restored_by_undo
from database.triggers import CHECK_VIOLATION, after_statement, refuse
from organizations.models import ORGANIZATION_ADMIN

MAY_GO = "rollcall.last_admin_may_go"
"""The setting that, if ``on``, lets the last administrators of organizations go in the present transaction."""

_LINKS = "memberships_organizationmembershiprole"
_GIVES = f"'{ORGANIZATION_ADMIN}' = ANY (role.permissions)"


def _gives(membership: str) -> str:
    """SQL: whether a role of the membership with the id ``membership`` administers its organization."""
    return f"""
        EXISTS (
            SELECT 1 FROM {_LINKS} given JOIN organizations_organizationrole role ON role.id = given.role_id
            WHERE given.membership_id = {membership} AND {_GIVES}
        )
    """


def _list_again(memberships: str, *, first: str = "") -> str:
    """Bring the list up to date for the ids that the query ``memberships`` gives.

    Memberships and users are locked, so that of two changes of one member's the later sees the earlier.
    """
    return f"""
        {first}
        ids := ARRAY({memberships});
        IF cardinality(ids) > 0 THEN
            PERFORM 1 FROM memberships_organizationmembership membership
                JOIN accounts_user member ON member.id = membership.user_id
                WHERE membership.id = ANY (ids)
                ORDER BY membership.id FOR NO KEY UPDATE OF membership FOR SHARE OF member;
            DELETE FROM memberships_administrator administrator WHERE membership_id = ANY (ids) AND NOT EXISTS (
                SELECT 1 FROM memberships_organizationmembership membership
                JOIN accounts_user member ON member.id = membership.user_id
                WHERE membership.id = administrator.membership_id AND NOT member.disabled AND {_gives("membership.id")}
            );
            INSERT INTO memberships_administrator (membership_id, organization_id)
                SELECT membership.id, membership.organization_id FROM memberships_organizationmembership membership
                JOIN accounts_user member ON member.id = membership.user_id
                WHERE membership.id = ANY (ids) AND NOT member.disabled AND {_gives("membership.id")}
                ON CONFLICT DO NOTHING;
        END IF;
        RETURN NULL;
    """


_IDS = [("ids", "BIGINT[]")]
_BOTH = {"old": "old_rows", "new": "new_rows"}


def lists_by_links() -> list[pgtrigger.Trigger]:
    """For the table of given roles. A role that is gone may have been one that administers."""

    def changed(rows: str) -> str:
        return f"""
            SELECT changed.membership_id FROM {rows} changed
            LEFT JOIN organizations_organizationrole role ON role.id = changed.role_id
            WHERE role.id IS NULL OR {_GIVES}
        """

    both = f"{changed('old_rows')} UNION ALL {changed('new_rows')}"
    return [
        after_statement(
            "administrators_on_insert",
            pgtrigger.Insert,
            _list_again(changed("new_rows")),
            declare=_IDS,
            referencing={"new": "new_rows"},
        ),
        after_statement(
            "administrators_on_update", pgtrigger.Update, _list_again(both), declare=_IDS, referencing=_BOTH
        ),
        after_statement(
            "administrators_on_delete",
            pgtrigger.Delete,
            _list_again(changed("old_rows")),
            declare=_IDS,
            referencing={"old": "old_rows"},
        ),
        after_statement(
            "administrators_on_truncate", pgtrigger.Truncate, "DELETE FROM memberships_administrator; RETURN NULL;"
        ),
    ]


def lists_by_roles() -> pgtrigger.Trigger:
    """For the table of roles, whose permissions may change. Meanwhile nobody gives or takes roles."""
    turned = f"""
        FROM old_rows was JOIN new_rows role USING (id)
        WHERE ({_GIVES}) <> ('{ORGANIZATION_ADMIN}' = ANY (was.permissions))
    """
    lock = f"IF NOT EXISTS (SELECT 1 {turned}) THEN RETURN NULL; END IF; LOCK TABLE {_LINKS} IN SHARE MODE;"
    holders = f"SELECT membership_id FROM {_LINKS} given WHERE role_id IN (SELECT role.id {turned})"
    return after_statement(
        "administrators",
        pgtrigger.Update,
        _list_again(holders, first=lock),
        declare=_IDS,
        referencing=_BOTH,
    )


def lists_by_users() -> pgtrigger.Trigger:
    """For the table of users: a disabled one administers nothing."""
    memberships = f"""
        SELECT membership.id FROM old_rows was JOIN new_rows USING (id)
        JOIN memberships_organizationmembership membership ON membership.user_id = was.id
        WHERE was.disabled <> new_rows.disabled AND {_gives("membership.id")}
    """
    return after_statement(
        "administrators", pgtrigger.Update, _list_again(memberships), declare=_IDS, referencing=_BOTH
    )


_REFUSE = f"""
    RAISE EXCEPTION 'the organization “%” must keep an administrator: make another member one first', place
        USING ERRCODE = '{CHECK_VIOLATION}', CONSTRAINT = '{LAST_ADMIN}';
"""
_MAY_GO = f"current_setting('{MAY_GO}', true) = 'on'"


def keeps_an_administrator() -> list[pgtrigger.Trigger]:
    """For the list of administrators: refuse at the end of a transaction that has left an organization without any.

    At the end, so that one transaction may hand over in any order, or delete the organization with all that it has.
    The organization's row is locked, so that of two transactions that end at once the later one sees the earlier.
    """
    return [
        pgtrigger.Trigger(
            name="written_by_triggers",
            operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
            when=pgtrigger.Before,
            func=f"""
                IF pg_trigger_depth() = 1 THEN
                    {refuse("written_by_triggers", "the list of administrators follows from the roles that are given")}
                END IF;
                RETURN coalesce(NEW, OLD);
            """,
        ),
        pgtrigger.Trigger(
            name="last_one_stays",
            level=pgtrigger.Row,
            when=pgtrigger.After,
            operation=pgtrigger.Delete,
            timing=pgtrigger.Deferred,
            declare=[("place", "TEXT")],
            func=f"""
                IF {_MAY_GO} THEN RETURN NULL; END IF;
                SELECT name INTO place FROM organizations_organization WHERE id = OLD.organization_id
                    FOR NO KEY UPDATE;
                IF FOUND AND NOT EXISTS (
                    SELECT 1 FROM memberships_administrator WHERE organization_id = OLD.organization_id
                ) THEN {_REFUSE} END IF;
                RETURN NULL;
            """,
        ),
        # No trigger sees the rows that TRUNCATE deletes.
        pgtrigger.Trigger(
            name="before_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func="""
                PERFORM set_config('rollcall.administered', min(organization_id)::text, true)
                    FROM memberships_administrator;
                RETURN NULL;
            """,
        ),
        after_statement(
            "last_one_stays_truncated",
            pgtrigger.Truncate,
            f"""
                IF {_MAY_GO} THEN RETURN NULL; END IF;
                SELECT name INTO place FROM organizations_organization
                    WHERE id = nullif(current_setting('rollcall.administered', true), '')::bigint;
                IF FOUND THEN {_REFUSE} END IF;
                RETURN NULL;
            """,
            declare=[("place", "TEXT")],
        ),
    ]


def joins_auto_assigned_workspace() -> list[pgtrigger.Trigger]:
    """For memberships of organizations: a new member joins the auto-assigned workspace too.

    There they have the deployment's default role, which must serve all of its workspaces. Users who are there already
    stay as they are. A workspace that has as many members as the deployment allows gets no more; its row is locked
    then, so that of those who join at once each counts.
    """
    return restored_by_undo(
        after_statement(
            "join_auto_assigned_workspace",
            pgtrigger.Insert,
            """
        PERFORM 1 FROM organizations_workspace workspace
            JOIN organizations_organization organization ON organization.auto_assigned_workspace_id = workspace.id
            JOIN accounts_deployment deployment ON deployment.id = organization.deployment_id
            WHERE organization.id IN (SELECT organization_id FROM inserted)
                AND deployment.max_allowed_workspace_members IS NOT NULL
            ORDER BY workspace.id FOR NO KEY UPDATE OF workspace;
        WITH newcomers AS (
            SELECT inserted.id, inserted.user_id, workspace.organization_id, workspace.id AS workspace_id,
                workspace.member_count + row_number() OVER (PARTITION BY workspace.id ORDER BY inserted.id) AS number,
                deployment.max_allowed_workspace_members AS most
            FROM inserted JOIN organizations_organization organization ON organization.id = inserted.organization_id
            JOIN organizations_workspace workspace ON workspace.id = organization.auto_assigned_workspace_id
            JOIN accounts_deployment deployment ON deployment.id = organization.deployment_id
            WHERE NOT EXISTS (
                SELECT 1 FROM memberships_workspacemembership present
                WHERE present.workspace_id = workspace.id AND present.user_id = inserted.user_id
            )
        ), joined AS (
            INSERT INTO memberships_workspacemembership (organization_id, workspace_id, user_id)
            SELECT organization_id, workspace_id, user_id FROM newcomers
            WHERE most IS NULL OR number <= most
            ORDER BY id
            ON CONFLICT (workspace_id, user_id) DO NOTHING
            RETURNING id
        )
        SELECT array_agg(id) INTO ids FROM joined;
        INSERT INTO memberships_workspacemembershiprole (membership_id, role_id)
            SELECT membership.id, role.id FROM memberships_workspacemembership membership
            JOIN organizations_organization organization ON organization.id = membership.organization_id
            JOIN accounts_deployment deployment ON deployment.id = organization.deployment_id
            JOIN organizations_workspacerole role ON role.id = deployment.default_workspace_member_role_id
                AND role.deployment_id = deployment.id AND role.organization_id IS NULL
            WHERE membership.id = ANY (ids)
            ORDER BY membership.id;
        RETURN NULL;
        """,
            declare=_IDS,
            referencing={"new": "inserted"},
        )
    )


def counts_new_members() -> pgtrigger.Trigger:
    """Count the new members of organizations, by the day on which their membership began.

    Each connection has a row of its own, so that nobody who joins waits until another transaction, such as an import,
    is over.
    """
    return after_statement(
        "count_new_members",
        pgtrigger.Insert,
        """
            INSERT INTO accounts_dailycount AS kept (deployment_id, day, kind, slot, number)
                SELECT deployment_id, (created_at AT TIME ZONE 'UTC')::date, 'new_members', pg_backend_pid(), count(*)
                FROM joined GROUP BY 1, 2 ORDER BY 1, 2
                ON CONFLICT (deployment_id, day, kind, slot) DO UPDATE SET number = kept.number + excluded.number;
            RETURN NULL;
        """,
        referencing={"new": "joined"},
    )
