"""“Why can't they enter?”: staff see the very answer of the endpoint, and each rule that it is made of."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Deployment, Session, SignIn, User
from api.networks import parse_address
from audit.models import AuditEntry, AuditGroup
from memberships.eligibility import Outcome
from memberships.explaining import Explanation, explain
from memberships.models import OrganizationMembership, OrganizationMembershipRole, WorkspaceMembership
from staff.pages import why_not
from tests.support.admin import url
from tests.support.api import ApiClient
from tests.support.cases import each
from tests.support.factories import confirmed_authenticator, join, member_of_new_workspace, new_world, session_of, staff

HERE = "192.0.2.7"
PAGE = "/admin/memberships/workspacemembership/why-not/{}/"


def explained(user: User, address: str | None = HERE, session: Session | None = None) -> Explanation:
    return explain(user, address=parse_address(address) if address else None, session=session)


def outcomes(explanation: Explanation) -> dict[tuple[str, str], Outcome]:
    (decision,) = explanation.decisions
    return {(finding.level.kind, finding.rule): finding.outcome for finding in decision.findings}


def restrict(membership: WorkspaceMembership, level: str, **values: Any) -> None:
    place: Any = getattr(membership, level)
    for name, value in values.items():
        setattr(place, name, value)
    place.save()


def test_the_answer_is_the_endpoints_byte_for_byte(user: User) -> None:
    member_of_new_workspace(user, private_metadata={"floor": 3}, whitelisted_ips=["10.0.0.0/8"])
    client = ApiClient(user.deployment, user)
    response = client.get(REMOTE_ADDR=HERE)
    answer = explained(user, session=Session.objects.get()).answer
    assert (answer.status, answer.body) == (200, response.content)


@each("ended", ["disabled", "ended", "expired"])
def test_an_error_is_the_endpoints_own_and_the_rules_are_explained_too(user: User, ended: str) -> None:
    membership = member_of_new_workspace(user, enforce_2fa=True)
    client = ApiClient(user.deployment, user)
    session = Session.objects.get()
    past = timezone.now() - timedelta(minutes=1)
    if ended == "disabled":
        User.objects.update(disabled=True)
    else:
        Session.objects.update(**{f"{ended}_at" if ended == "ended" else "expires_at": past})
    user.refresh_from_db()
    session.refresh_from_db()
    explanation = explained(user, session=session)
    response = client.get(REMOTE_ADDR=HERE)
    assert explanation.answer.status == response.status_code == 401
    assert explanation.answer.body == response.content
    (decision,) = explanation.decisions
    assert decision.membership["id"] == str(membership.pk)
    assert decision.restriction["type"] == "mfa_required"


def test_asking_leaves_no_trace(user: User) -> None:
    member_of_new_workspace(user)
    session = session_of(user)
    before = [list(model.objects.values()) for model in (Session, SignIn, User)]
    explained(user, session=session)
    explained(user)
    assert [list(model.objects.values()) for model in (Session, SignIn, User)] == before


def test_every_rule_that_the_answer_obeys_is_explained(user: User) -> None:
    membership = member_of_new_workspace(user)
    for level, entries, mfa in product(("organization", "workspace"), ([HERE], ["10.0.0.0/8"], []), (True, False)):
        field = "enforce_mfa" if level == "organization" else "enforce_2fa"
        restrict(membership, level, enable_ip_restriction=True, whitelisted_ips=entries, **{field: mfa})
        explanation = explained(user)
        unmet = {rule for (_, rule), outcome in outcomes(explanation).items() if outcome is Outcome.UNMET}
        type_ = explanation.decisions[0].restriction["type"]
        assert {"IP": "ip_" in type_, "MFA": "mfa_" in type_} == {rule: rule in unmet for rule in ("IP", "MFA")}


@each(
    ("values", "address", "outcome", "entry"),
    [
        ({"enable_ip_restriction": False}, HERE, Outcome.NOT_ENABLED, None),
        ({"whitelisted_ips": []}, HERE, Outcome.EMPTY_LIST, None),
        ({"whitelisted_ips": ["10.0.0.1", "192.0.2.0/24"]}, HERE, Outcome.MET, "192.0.2.0/24"),
        ({"whitelisted_ips": ["10.0.0.1"]}, HERE, Outcome.UNMET, None),
        ({"whitelisted_ips": ["192.0.2.0/24"]}, None, Outcome.UNMET, None),
    ],
)
def test_the_ip_rule_is_explained_with_the_entry_that_matches(
    user: User, values: dict[str, Any], address: str | None, outcome: Outcome, entry: str | None
) -> None:
    membership = member_of_new_workspace(user)
    restrict(membership, "organization", **({"enable_ip_restriction": True} | values))
    (decision,) = explained(user, address).decisions
    finding = decision.findings[0]
    assert (finding.outcome, (finding.outcome is Outcome.MET and finding.entry) or None) == (outcome, entry)


@pytest.mark.parametrize("switch", ["enforce_mfa_per_workspace_enabled", "ip_allowlist_per_workspace_enabled"])
def test_a_switch_of_the_deployment_is_explained(user: User, switch: str) -> None:
    member_of_new_workspace(user, enforce_2fa=True, enable_ip_restriction=True, whitelisted_ips=["10.0.0.1"])
    Deployment.objects.update(**{switch: False})
    user.deployment.refresh_from_db()
    off = [
        finding.switch for finding in explained(user).decisions[0].findings if finding.outcome is Outcome.SWITCHED_OFF
    ]
    assert off == [switch]


@pytest.mark.parametrize("of", ["workspace", "organization"])
def test_the_exemption_of_administrators_is_explained(user: User, of: str) -> None:
    membership = member_of_new_workspace(user, enforce_2fa=True)
    if of == "workspace":
        membership.given_roles.create(role=user.deployment.workspace_roles.get(name="Admin"))
    else:
        above = OrganizationMembership.objects.get()
        role = user.deployment.organization_roles.get(name="Admin")
        OrganizationMembershipRole.objects.create(membership=above, role=role)
    (decision,) = explained(user).decisions
    assert (decision.admin_roles, decision.restriction["type"]) == (["Admin"], "none")


def shown_json(response: Any) -> Any:
    (text,) = re.findall(r'<pre[^>]*id="json">(.*?)</pre>', response.content.decode(), re.DOTALL)
    return json.loads(html.unescape(text))


def test_the_page_shows_the_decision_its_reasons_and_the_json(admin_client: Client, user: User) -> None:
    member_of_new_workspace(user, name="Vault", enable_ip_restriction=True, whitelisted_ips=["10.0.0.0/8"])
    session = session_of(user)
    response = admin_client.get(PAGE.format(user.pk), {"address": HERE, "session": str(session.pk)})
    text = " ".join(html.unescape(response.content.decode()).split())
    assert "Can enter 0 of 1 workspace " in text
    assert "IP rule of the workspace “Vault”:</strong> The address is not in 10.0.0.0/8." in text
    assert shown_json(response)["session"]["id"] == str(session.pk)
    assert shown_json(response)["data"][0]["eligibility_restriction"]["type"] == "ip_not_allowed"
    response = admin_client.get(PAGE.format(user.pk), {"address": "10.1.2.3", "session": ""})
    assert "The address is in 10.0.0.0/8." in response.content.decode()


def test_the_users_and_the_memberships_pages_lead_there(admin_client: Client, user: User) -> None:
    one, other = member_of_new_workspace(user, name="One"), member_of_new_workspace(user, name="Other")
    for row in (user, one):
        assert "Why can&#x27;t they enter?" in admin_client.get(url(row, "change")).content.decode()
    response = admin_client.get(f"/admin/accounts/user/{user.pk}/why-not?address=198.51.100.7", follow=True)
    assert len(response.context["rows"]) == 2
    assert response.context["link_to_result"].startswith("?address=198.51.100.7&")
    response = admin_client.get(f"/admin/memberships/workspacemembership/{other.pk}/why-not", follow=True)
    (row,) = response.context["rows"]
    assert row.decision.membership["workspace"]["name"] == "Other"


def test_the_button_adds_the_address_that_it_names(admin_client: Client, user: User) -> None:
    """Whatever sign-in is the newest one when it is pressed."""
    workspace = member_of_new_workspace(user, enable_ip_restriction=True, whitelisted_ips=["10.0.0.0/8"]).workspace
    session_of(user)
    SignIn.objects.update(ip_address=HERE)
    page = PAGE.format(user.pk)
    text = admin_client.get(page).content.decode()
    assert f"Add {HERE} to " in text
    (form,) = re.findall(r'<form method="post".*?</form>', text, re.DOTALL)
    shown = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
    later = session_of(user)
    SignIn.objects.filter(session=later).update(ip_address="198.51.100.66")
    assert admin_client.post(page, shown).status_code == 302
    workspace.refresh_from_db()
    assert workspace.whitelisted_ips == ["10.0.0.0/8", HERE]
    name = f"Add {HERE} to the allow-list of workspace “{workspace}”"
    assert list(AuditGroup.objects.values_list("name", flat=True)) == [name]


@pytest.mark.parametrize("address", ["", "10.0.0.256"])
def test_the_button_adds_nothing_but_an_address(admin_client: Client, user: User, address: str) -> None:
    workspace = member_of_new_workspace(user, enable_ip_restriction=True, whitelisted_ips=["10.0.0.0/8"]).workspace
    session_of(user)
    SignIn.objects.update(ip_address=HERE)
    asked = {"address": address, "add_to": f"workspace {workspace.pk}"}
    assert admin_client.post(PAGE.format(user.pk), asked).status_code == 400
    workspace.refresh_from_db()
    assert workspace.whitelisted_ips == ["10.0.0.0/8"]


def test_a_text_that_is_no_address_is_refused(admin_client: Client, user: User) -> None:
    response = admin_client.get(PAGE.format(user.pk), {"address": "10.0.0.256"})
    assert "Write an IPv4 or IPv6 address" in response.content.decode()
    assert "explanation" not in response.context


def test_missing_mfa_and_a_disabled_user_are_explained(admin_client: Client, user: User) -> None:
    member_of_new_workspace(user, enforce_2fa=True)
    confirmed_authenticator(user)
    assert "and the user has set up MFA." in admin_client.get(PAGE.format(user.pk), {"address": ""}).content.decode()
    User.objects.update(disabled=True)
    text = admin_client.get(PAGE.format(user.pk), {"address": ""}).content.decode()
    assert "Refused everywhere (401): " in text
    assert "40106" in text


def test_staff_of_another_deployment_find_no_page(db: None) -> None:
    world = new_world()
    membership = join(world.own.user, world.own.workspace)
    client = Client()
    client.force_login(staff(world.foreign.deployment, role="operator"))
    assert client.get(PAGE.format(world.own.user.pk)).status_code == 404
    assert client.get(f"/admin/accounts/user/{world.own.user.pk}/why-not", follow=True).status_code == 404
    assert client.get(f"/admin/memberships/workspacemembership/{membership.pk}/why-not", follow=True).status_code == 404


def test_support_sees_no_private_metadata(user: User) -> None:
    member_of_new_workspace(user, private_metadata={"secret": "hush"})
    client = Client()
    client.force_login(staff(user.deployment, role="support"))
    response = client.get(PAGE.format(user.pk), {"address": HERE})
    assert "hush" not in response.content.decode()
    assert shown_json(response)["data"][0]["workspace"]["private_metadata"] == {}
    file = client.get(PAGE.format(user.pk), {"address": HERE, "file": "1"})
    assert file.json()["data"][0]["workspace"]["private_metadata"] == {}
    assert b"hush" not in file.content


def test_staff_without_rights_may_not_ask(user: User) -> None:
    client = Client()
    client.force_login(staff(role="support"))
    assert client.get(PAGE.format(user.pk)).status_code == 403


def test_workspaces_that_keep_the_user_out_come_first_and_some_are_counted(
    admin_client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(why_not, "SHOWN", 2)
    for name, entries in (("One", []), ("Shut", ["10.0.0.0/8"]), ("Other", [])):
        member_of_new_workspace(user, name=name, enable_ip_restriction=True, whitelisted_ips=entries)
    response = admin_client.get(PAGE.format(user.pk), {"address": HERE})
    assert "Can enter 2 of 3 workspaces" in response.content.decode()
    names = [row.decision.membership["workspace"]["name"] for row in response.context["rows"]]
    assert names[0] == "Shut"
    assert len(names) == 2
    assert "Not shown: 1 more workspace." in response.content.decode()
    assert [membership["workspace"]["name"] for membership in shown_json(response)["data"]] == names
    (link,) = re.findall(r'href="([^"]*)">Save the whole response', response.content.decode())
    file = admin_client.get(PAGE.format(user.pk) + html.unescape(link))
    assert len(file.json()["data"]) == 3
    assert file["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("level", ["organization", "workspace"])
def test_the_cure_lets_the_user_in(admin_client: Client, user: User, level: str) -> None:
    membership = member_of_new_workspace(user)
    restrict(membership, level, enable_ip_restriction=True, whitelisted_ips=["10.0.0.0/8"])
    page = f"{PAGE.format(user.pk)}?address={HERE}"
    (rule,) = admin_client.get(page).context["rows"][0].deciding
    cure = {"address": HERE, "add_to": f"{level} {rule.place_id}"}
    response = admin_client.post(page, cure, follow=True)
    assert (response.context["entered"], response.redirect_chain) == (1, [(page, 302)])
    admin_client.post(page, cure)  # a second click changes nothing
    place = getattr(membership, level)
    place.refresh_from_db()
    assert place.whitelisted_ips == ["10.0.0.0/8", HERE]
    assert AuditEntry.objects.filter(
        action="changed", model=place._meta.label_lower, object_id=place.pk, actor_kind="staff"
    ).exists()


@each("add_to", ["", "organization", "organization x", "user 1", "organization 0", "workspace 99999"])
def test_a_cure_of_no_place_of_the_user_is_refused(admin_client: Client, user: User, add_to: str) -> None:
    member_of_new_workspace(user)
    response = admin_client.post(f"{PAGE.format(user.pk)}?address={HERE}", {"address": HERE, "add_to": add_to})
    assert response.status_code in (403, 404)


def test_support_reads_the_cure_and_cannot_apply_it(user: User) -> None:
    membership = member_of_new_workspace(user, enable_ip_restriction=True, whitelisted_ips=["10.0.0.0/8"])
    client = Client()
    client.force_login(staff(user.deployment, role="support"))
    page = f"{PAGE.format(user.pk)}?address={HERE}"
    text = " ".join(html.unescape(client.get(page).content.decode()).split())
    assert f"Add {HERE} to the allow-list of the workspace" in text
    assert "add_to" not in text
    assert client.post(page, {"address": HERE, "add_to": f"workspace {membership.workspace_id}"}).status_code == 403


def test_the_link_gives_the_same_result_to_a_colleague(admin_client: Client, user: User) -> None:
    member_of_new_workspace(user)
    session = session_of(user)
    response = admin_client.get(PAGE.format(user.pk), {"address": HERE, "session": str(session.pk)})
    assert response.context["link_to_result"] == f"?address={HERE}&session={session.pk}"
    SignIn.objects.update(ip_address="203.0.113.9")
    response = admin_client.get(PAGE.format(user.pk))  # the newest sign-in's, which another one may replace
    assert response.context["link_to_result"] == f"?address=203.0.113.9&session={session.pk}"
