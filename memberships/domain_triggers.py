"""Triggers by which users with a verified address of an organization's verified domain become its members.

They join when the address or the domain is verified, whichever is later, whoever writes it: so nobody waits for a next
sign-in, and nothing else has to know. Whoever was a member once is not made one again: a removal would be undone by
the removed.
"""

from __future__ import annotations

import pgtrigger

from accounts.values.names import DomainOf
from audit.triggers import restored_by_undo
from database.triggers import after_statement

_DOMAIN_OF_ADDRESS = DomainOf.template % {"expressions": "address.email"}


def _join(table: str, verified: str, lock: str) -> str:
    """Have users join for the ``verified`` rows (SQL) of ``table``, which is "address" or "domain".

    Of an address and its domain that are verified at once, the ``lock`` on the deployment has the later one wait: the
    one for addresses is shared. The statement after it sees what was committed meanwhile. So it is with an organization
    that is deleted at that moment, and with a membership: who is a member for the statement is not made one, be they
    removed in that moment or not. An organization that has as many members as the deployment allows gets no more; its
    row is locked then, so that of those who join at once each counts.
    """
    to_join = f"""
        SELECT DISTINCT domain.deployment_id, domain.organization_id, address.user_id
        FROM organizations_organizationdomain domain
        JOIN accounts_emailaddress address
            ON address.deployment_id = domain.deployment_id AND {_DOMAIN_OF_ADDRESS} = domain.fqdn
        WHERE {table}.id IN (SELECT id FROM ({verified}) changed)
            AND domain.verified_at IS NOT NULL AND address.verified_at IS NOT NULL
            AND NOT EXISTS (
                SELECT 1 FROM memberships_endedmembership ended
                WHERE ended.organization_id = domain.organization_id AND ended.user_id = address.user_id
            )
    """
    return f"""
        deployments := ARRAY(SELECT DISTINCT deployment_id FROM ({verified}) changed ORDER BY 1);
        IF cardinality(deployments) = 0 THEN RETURN NULL; END IF;
        PERFORM {lock}(hashtextextended('domains of deployment ' || id, 0)) FROM unnest(deployments) id;
        PERFORM 1 FROM organizations_organization WHERE id IN (SELECT organization_id FROM ({to_join}) found)
            ORDER BY id FOR KEY SHARE;
        PERFORM 1 FROM organizations_organization organization
            JOIN accounts_deployment deployment ON deployment.id = organization.deployment_id
            WHERE organization.id IN (SELECT organization_id FROM ({to_join}) found)
                AND deployment.max_allowed_org_members IS NOT NULL
            ORDER BY organization.id FOR NO KEY UPDATE OF organization;
        WITH newcomers AS (
            SELECT found.deployment_id, found.organization_id, found.user_id,
                organization.member_count
                    + row_number() OVER (PARTITION BY organization.id ORDER BY found.user_id) AS number,
                deployment.max_allowed_org_members AS most
            FROM ({to_join}) found
            JOIN organizations_organization organization ON organization.id = found.organization_id
            JOIN accounts_deployment deployment ON deployment.id = found.deployment_id
            WHERE NOT EXISTS (
                SELECT 1 FROM memberships_organizationmembership present
                WHERE present.organization_id = found.organization_id AND present.user_id = found.user_id
            )
        ), joined AS (
            INSERT INTO memberships_organizationmembership (deployment_id, organization_id, user_id)
            SELECT deployment_id, organization_id, user_id FROM newcomers
            WHERE most IS NULL OR number <= most
            ORDER BY 1, 2, 3
            ON CONFLICT (organization_id, user_id) DO NOTHING
            RETURNING id
        )
        SELECT array_agg(id) INTO ids FROM joined;
        INSERT INTO memberships_organizationmembershiprole (membership_id, role_id)
            SELECT membership.id, role.id FROM memberships_organizationmembership membership
            JOIN accounts_deployment deployment ON deployment.id = membership.deployment_id
            JOIN organizations_organizationrole role ON role.id = deployment.default_org_member_role_id
                AND role.deployment_id = deployment.id AND role.organization_id IS NULL
            WHERE membership.id = ANY (ids)
            ORDER BY membership.id;
        RETURN NULL;
    """


_DECLARED = [("ids", "BIGINT[]"), ("deployments", "BIGINT[]")]
_NEW = "SELECT id, deployment_id FROM new_rows WHERE verified_at IS NOT NULL"
_NEWLY = """
    SELECT id, new_rows.deployment_id FROM old_rows JOIN new_rows USING (id)
    WHERE old_rows.verified_at IS NULL AND new_rows.verified_at IS NOT NULL
"""


def _joins(table: str, *, lock: str) -> list[pgtrigger.Trigger]:
    return restored_by_undo(
        after_statement(
            "join_on_insert",
            pgtrigger.Insert,
            _join(table, _NEW, lock),
            declare=_DECLARED,
            referencing={"new": "new_rows"},
        ),
        after_statement(
            "join_on_update",
            pgtrigger.Update,
            _join(table, _NEWLY, lock),
            declare=_DECLARED,
            referencing={"old": "old_rows", "new": "new_rows"},
        ),
    )


def joins_by_address() -> list[pgtrigger.Trigger]:
    """For the table of addresses: the user of one that is verified now joins the organization of its domain."""
    return _joins("address", lock="pg_advisory_xact_lock_shared")


def joins_by_domain() -> list[pgtrigger.Trigger]:
    """For the table of domains: the users with verified addresses of one that is verified now join."""
    return _joins("domain", lock="pg_advisory_xact_lock")


def leaves_a_mark() -> list[pgtrigger.Trigger]:
    """For memberships of organizations: note those that end, of users and organizations that stay.

    A membership that an undo takes away has not ended: it should never have been there.
    """
    return restored_by_undo(
        after_statement(
            "note_ended",
            pgtrigger.Delete,
            """
        INSERT INTO memberships_endedmembership (organization_id, user_id)
            SELECT ended.organization_id, ended.user_id FROM old_rows ended
            JOIN organizations_organization organization ON organization.id = ended.organization_id
            JOIN accounts_user member ON member.id = ended.user_id
            ORDER BY 1, 2
            ON CONFLICT DO NOTHING;
        RETURN NULL;
        """,
            referencing={"old": "old_rows"},
        )
    )
