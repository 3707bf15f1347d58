"""Every endpoint about organizations and workspaces, tried by users of every standing.

The table is held against the list of addresses: an endpoint without a row fails.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import pytest
from django.db import transaction

from accounts.models import User
from organizations.models import Organization
from tests.support.api import FORM, ApiClient, error_code
from tests.support.cases import each, undone
from tests.support.factories import DeploymentFactory
from tests.support.self_service import Firm, ask, endpoints

pytestmark = pytest.mark.django_db

WHO = (
    "visitor",
    "foreigner",
    "foreign admin",
    "neighbour",
    "neighbouring admin",
    "outsider",
    "member",
    "workspace admin",
    "admin",
)
"""``foreigner``: of another deployment; ``neighbour``: of another organization; ``outsider``: of the workspace."""

# The statuses in the order of WHO. 401 for the foreigners: their tokens are another deployment's. To visitors they
# are visitors, too.
CREATES = (401, 401, 401, 200, 200, 200, 200, 200, 200)
VISITORS = (200,) * 9
MEMBERS = (401, 401, 401, 404, 404, 200, 200, 200, 200)
ADMINS = (401, 401, 401, 404, 404, 403, 403, 403, 200)
WORKSPACE_MEMBERS = (401, 401, 401, 404, 404, 404, 200, 200, 200)
WORKSPACE_LEAVING = (401, 401, 401, 404, 404, 404, 200, 200, 403)
WORKSPACE_ADMINS = (401, 401, 401, 404, 404, 404, 403, 200, 200)
LEAVING = (401, 401, 401, 404, 404, 200, 200, 200, 409)

TABLE: dict[str, tuple[int, ...]] = {
    "POST organizations": CREATES,
    "POST organizations/{id}/update": ADMINS,
    "POST organizations/{id}/delete": ADMINS,
    "POST organizations/{id}/leave": LEAVING,
    "GET organizations/{id}/members": MEMBERS,
    "POST organizations/{id}/members/{member_id}/remove": ADMINS,
    "POST organizations/{id}/members/{member_id}/roles/{role_id}/add": ADMINS,
    "POST organizations/{id}/members/{member_id}/roles/{role_id}/remove": ADMINS,
    "GET organizations/{id}/roles": MEMBERS,
    "POST organizations/{id}/roles": ADMINS,
    "POST organizations/{id}/roles/{role_id}/remove": ADMINS,
    "GET organizations/{id}/domains": ADMINS,
    "POST organizations/{id}/domains": ADMINS,
    "POST organizations/{id}/domains/{domain_id}/verify": ADMINS,
    "POST organizations/{id}/domains/{domain_id}/delete": ADMINS,
    "GET organizations/{id}/invitations": ADMINS,
    "POST organizations/{id}/invitations": ADMINS,
    "POST organizations/{id}/invitations/{invitation_id}/discard": ADMINS,
    "POST organizations/{id}/invitations/{invitation_id}/resend": ADMINS,
    "POST organizations/invitations/accept": VISITORS,
    "POST workspaces": ADMINS,
    "POST workspaces/{id}/update": WORKSPACE_ADMINS,
    "POST workspaces/{id}/delete": WORKSPACE_ADMINS,
    "POST workspaces/{id}/leave": WORKSPACE_LEAVING,
    "GET workspaces/{id}/members": WORKSPACE_MEMBERS,
    "POST workspaces/{id}/members/{member_id}/remove": WORKSPACE_ADMINS,
    "POST workspaces/{id}/members/{member_id}/roles/{role_id}/add": WORKSPACE_ADMINS,
    "POST workspaces/{id}/members/{member_id}/roles/{role_id}/remove": WORKSPACE_ADMINS,
    "GET workspaces/{id}/roles": WORKSPACE_MEMBERS,
    "POST workspaces/{id}/roles": WORKSPACE_ADMINS,
    "POST workspaces/{id}/roles/{role_id}/delete": WORKSPACE_ADMINS,
}


def test_every_endpoint_has_its_row() -> None:
    assert endpoints() == set(TABLE)
    assert all(len(row) == len(WHO) for row in TABLE.values())


class World(NamedTuple):
    """A firm, a client for each of WHO, all of them at its host, and the firms of the neighbours and foreigners."""

    firm: Firm
    clients: dict[str, ApiClient]
    neighbouring: Firm
    foreign: Firm


@pytest.fixture(scope="module")
def shared_world(shared_rows: None) -> World:
    firm = Firm()
    neighbouring, foreign = Firm(firm.deployment), Firm()
    users: dict[str, User | None] = {
        "visitor": None,
        "foreigner": foreign.member,
        "foreign admin": foreign.admin,
        "neighbour": neighbouring.member,
        "neighbouring admin": neighbouring.admin,
        "outsider": firm.outsider,
        "member": firm.member,
        "workspace admin": firm.workspace_admin,
        "admin": firm.admin,
    }
    found = {}
    for who, user in users.items():
        found[who] = ApiClient(user.deployment if user else firm.deployment, user)
        found[who].deployment = firm.deployment
    return World(firm, found, neighbouring, foreign)


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    return deepcopy(shared_world)


@pytest.fixture
def firm(world: World) -> Firm:
    return world.firm


@pytest.fixture
def clients(world: World) -> dict[str, ApiClient]:
    return world.clients


@each("who", WHO)
def test_each_standing_gets_the_status_of_the_table(firm: Firm, clients: dict[str, ApiClient], who: str) -> None:
    for endpoint, row in TABLE.items():
        with undone(endpoint):
            assert ask(firm, clients[who], endpoint).status_code == row[WHO.index(who)]


@pytest.mark.parametrize("who", ["neighbouring admin", "member"])
def test_a_place_of_others_is_answered_as_one_that_never_existed(world: World, who: str) -> None:
    never = 10**12
    for endpoint in [one for one in TABLE if "{id}" in one]:
        in_workspace = "workspaces/" in endpoint
        others = [world.foreign] if who == "member" else [world.foreign, world.firm]
        places = [(one.workspace if in_workspace else one.organization).pk for one in others]
        with undone(endpoint):
            answers = [ask(world.firm, world.clients[who], endpoint, id=pk) for pk in (never, *places)]
            assert error_code(answers[0]) == (40404 if in_workspace else 40403)
            assert {answer.content for answer in answers} == {answers[0].content}


@each("endpoint", [one for one in TABLE if one.count("{") > 1])
def test_parts_of_other_organizations_do_not_exist_for_an_admin(
    firm: Firm, clients: dict[str, ApiClient], world: World, endpoint: str
) -> None:
    neighbouring = world.neighbouring
    in_workspace = "workspaces/" in endpoint
    for name, (theirs, never) in {
        "member_id": (
            (neighbouring.in_workspace if in_workspace else neighbouring.membership)(neighbouring.member).pk,
            10**12,
        ),
        "role_id": ((neighbouring.workspace_role if in_workspace else neighbouring.role).pk, 10**12),
        "domain_id": (neighbouring.domain.pk, 10**12),
        "invitation_id": (neighbouring.invitation.pk, 10**12),
    }.items():
        if f"{{{name}}}" in endpoint:
            answers = [ask(firm, clients["admin"], endpoint, **{name: pk}) for pk in (theirs, never)]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert answers[0].content == answers[1].content


@each("rule", ["ip", "mfa"])
@each("who", ["member", "workspace admin", "admin"])
def test_members_whom_a_rule_keeps_out_cannot_act(
    firm: Firm, clients: dict[str, ApiClient], who: str, rule: str
) -> None:
    values: dict[str, Any] = (
        {"enable_ip_restriction": True, "whitelisted_ips": ["192.0.2.1"]} if rule == "ip" else {"enforce_mfa": True}
    )
    Organization.objects.filter(pk=firm.organization.pk).update(**values)
    for endpoint in [one for one in TABLE if "{id}" in one]:
        expected = TABLE[endpoint][WHO.index(who)]
        is_exempt = who == "admin" or (who == "workspace admin" and "workspaces/" in endpoint)
        with undone(endpoint):
            answer = ask(firm, clients[who], endpoint)
            if expected == 200 and not is_exempt:
                assert error_code(answer) == 40303
                message = answer.json()["errors"][0]["message"]
                assert firm.organization.name in message
            else:
                assert answer.status_code == expected


TO_WORKSPACE = (401, 401, 401, 404, 404, 403, 403, 200, 200)


@each(
    "endpoint",
    [
        "GET organizations/{id}/invitations?workspace_id={workspace_id}",
        "POST organizations/{id}/invitations",
        "POST organizations/{id}/invitations/{invitation_id}/discard",
        "POST organizations/{id}/invitations/{invitation_id}/resend",
    ],
)
def test_workspace_administrators_have_the_invitations_to_their_workspace(
    firm: Firm, clients: dict[str, ApiClient], world: World, endpoint: str
) -> None:
    method, route = endpoint.split(" ")
    invitation = firm.invite("to-workspace@example.com", workspace=firm.workspace)
    elsewhere = firm.invite("elsewhere@example.com", workspace=firm.other_workspace)
    neighbouring = world.neighbouring
    theirs = neighbouring.invite("theirs@example.com", workspace=neighbouring.workspace)

    def ask_about(client: ApiClient, workspace_id: int, invitation_id: int) -> Any:
        path, _, query = f"/{route}".format(
            id=firm.organization.pk, workspace_id=workspace_id, invitation_id=invitation_id
        ).partition("?")
        body = {"email": "new@example.com", "workspace_id": workspace_id}
        with transaction.atomic():
            answer = client.get(path, query) if method == "GET" else client.post(path, body, content_type=FORM)
            transaction.set_rollback(True)
        return answer

    statuses = tuple(ask_about(client, firm.workspace.pk, invitation.pk).status_code for client in clients.values())
    assert statuses == TO_WORKSPACE
    others = [
        (firm.other_workspace.pk, elsewhere.pk),
        (neighbouring.workspace.pk, theirs.pk),
        (10**12, 10**12),
        (10**12, firm.invitation.pk),
    ]
    for who in ("workspace admin", "outsider"):
        answers = [ask_about(clients[who], *ids) for ids in others]
        assert {answer.status_code for answer in answers} == {403}
        assert len({answer.content for answer in answers}) == 1


def test_a_change_takes_an_origin_of_the_deployment(firm: Firm) -> None:
    path = f"/organizations/{firm.organization.pk}/update"
    answer = firm.client(firm.admin).post(path, {"name": "New"}, HTTP_ORIGIN="https://elsewhere.example")
    assert error_code(answer) == 40302


def test_many_changes_are_throttled(firm: Firm, settings: Any) -> None:
    settings.CHANGES_PER_ACCOUNT = 2
    client = firm.client(firm.admin)
    path = f"/organizations/{firm.organization.pk}/update"
    assert [client.post(path, {"name": "New"}).status_code for _ in range(3)] == [200, 200, 429]
    assert client.get(f"/organizations/{firm.organization.pk}/members").status_code == 200


def test_a_switched_off_deployment_lets_nobody_create_or_delete(firm: Firm) -> None:
    closed = DeploymentFactory.create()
    closed_firm = Firm(closed)
    for endpoint in (
        "POST organizations",
        "POST organizations/{id}/delete",
        "POST organizations/{id}/roles",
        "POST workspaces",
        "POST workspaces/{id}/delete",
        "POST workspaces/{id}/roles",
    ):
        answer = ask(closed_firm, closed_firm.client(closed_firm.admin), endpoint)
        assert error_code(answer) == 40301, endpoint
