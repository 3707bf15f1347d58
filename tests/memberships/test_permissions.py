"""Who may do what in organizations and workspaces: the whole table, without a database."""

from __future__ import annotations

from memberships.permissions import Action, Needs, Rights, Verdict, may_give, verdict
from tests.support.cases import each

NOBODY = Rights(None)
ELSEWHERE_IN_WORKSPACE = Rights(frozenset({"organization:member"}))
MEMBER = Rights(frozenset({"organization:member"}), frozenset({"workspace:member"}))
WORKSPACE_ADMIN = Rights(frozenset(), frozenset({"workspace:admin"}))
ORGANIZATION_ADMIN = Rights(frozenset({"organization:admin"}))
ADMIN_IN_WORKSPACE = Rights(frozenset({"organization:admin"}), frozenset())

STRANGER, FORBIDDEN, ALLOWED = Verdict.STRANGER, Verdict.FORBIDDEN, Verdict.ALLOWED
TABLE = {
    Needs.MEMBERSHIP: (STRANGER, ALLOWED, ALLOWED, ALLOWED, ALLOWED, ALLOWED),
    Needs.ORGANIZATION_ADMIN: (STRANGER, FORBIDDEN, FORBIDDEN, FORBIDDEN, ALLOWED, ALLOWED),
    Needs.WORKSPACE_MEMBERSHIP: (STRANGER, STRANGER, ALLOWED, ALLOWED, FORBIDDEN, ALLOWED),
    Needs.WORKSPACE_ACCESS: (STRANGER, STRANGER, ALLOWED, ALLOWED, ALLOWED, ALLOWED),
    Needs.WORKSPACE_ADMIN: (STRANGER, STRANGER, FORBIDDEN, ALLOWED, ALLOWED, ALLOWED),
}
RIGHTS = (NOBODY, ELSEWHERE_IN_WORKSPACE, MEMBER, WORKSPACE_ADMIN, ORGANIZATION_ADMIN, ADMIN_IN_WORKSPACE)


@each("action", Action)
def test_each_action_takes_what_the_table_says(action: Action) -> None:
    assert tuple(verdict(action, rights) for rights in RIGHTS) == TABLE[action.needs]


def test_an_action_takes_what_its_name_says() -> None:
    """A second opinion about the enumeration itself: nothing that changes others is open to plain members."""
    for action in Action:
        place = "WORKSPACE" if action.name.endswith(("_WORKSPACE", "_ROLES", "_MEMBERS")) else "ORGANIZATION"
        if action.name.startswith("LEAVE_"):
            assert action.needs in (Needs.MEMBERSHIP, Needs.WORKSPACE_MEMBERSHIP)
        elif action.name.startswith("LIST_") and action.name.endswith(("_MEMBERS", "_ROLES")):
            assert action.needs in (Needs.MEMBERSHIP, Needs.WORKSPACE_ACCESS)
        else:
            assert action.needs in (Needs.ORGANIZATION_ADMIN, Needs.WORKSPACE_ADMIN), place


@each(
    ("rights", "permissions", "in_workspace", "expected"),
    [
        (ORGANIZATION_ADMIN, ["organization:admin"], False, True),
        (ORGANIZATION_ADMIN, [], False, True),
        (ORGANIZATION_ADMIN, ["billing:pay"], False, False),
        (Rights(frozenset({"organization:admin", "billing:pay"})), ["billing:pay"], False, True),
        (Rights(frozenset({"billing:pay"})), ["billing:pay"], False, False),
        (MEMBER, ["organization:member"], False, False),
        (WORKSPACE_ADMIN, ["organization:member"], False, False),
        (NOBODY, [], False, False),
        (ORGANIZATION_ADMIN, ["workspace:admin"], True, True),
        (ORGANIZATION_ADMIN, ["organization:admin"], True, True),
        (ORGANIZATION_ADMIN, ["crane:drive"], True, False),
        (WORKSPACE_ADMIN, ["workspace:admin", "workspace:member"], True, True),
        (WORKSPACE_ADMIN, ["workspace:member", "crane:drive"], True, False),
        (WORKSPACE_ADMIN, ["organization:admin"], True, False),
        (
            Rights(frozenset({"organization:member"}), frozenset({"workspace:admin"})),
            ["organization:member"],
            True,
            False,
        ),
        (Rights(frozenset(), frozenset({"workspace:admin", "crane:drive"})), ["crane:drive"], True, True),
        (MEMBER, ["workspace:member"], True, False),
        (MEMBER, [], True, False),
    ],
)
def test_nobody_gives_what_they_do_not_hold(
    rights: Rights, permissions: list[str], in_workspace: bool, expected: bool
) -> None:
    level = "workspace" if in_workspace else "organization"
    offered = [f"{level}:admin", f"{level}:member"]
    assert may_give(permissions, rights, in_workspace=in_workspace, offered=offered) is expected
