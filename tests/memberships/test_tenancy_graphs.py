"""Random tenancies, and the whole answer held against a naive reading of the contract."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.support.api import ApiClient
from tests.support.graph_rows import FIRST_DAY, Rows, write
from tests.support.graphs import DrawnDeployment, Request, graphs
from tests.support.naive_model import expected_answer

SHARDS = 2
GRAPHS_PER_SHARD = 50


def summary(item: dict[str, Any], users: dict[str, str]) -> dict[str, Any]:
    """A membership of the real answer in the same terms; ids are told apart by the names that go with them."""
    workspace, organization = item["workspace"], item["organization"]
    assert item["organization_id"] == organization["id"]
    return {
        "day": (datetime.fromisoformat(item["created_at"]) - FIRST_DAY).days,
        "membership": item["public_metadata"]["name"],
        "user": users[item["user_id"]],
        "workspace": workspace["name"],
        "workspace members": workspace["member_count"],
        "workspace segments": segment_numbers(workspace),
        "workspace secret": workspace["private_metadata"] == {"of": workspace["name"]},
        "organization": organization["name"],
        "organization members": organization["member_count"],
        "organization segments": segment_numbers(organization),
        "organization secret": organization["private_metadata"] == {"of": organization["name"]},
        "roles": [role["name"] for role in item["roles"]],
        "restriction": item["eligibility_restriction"]["type"],
    }


def segment_numbers(place: dict[str, Any]) -> list[int]:
    """The numbers of the segments, each of which is named after its deployment, type and number."""
    deployment = place["name"].split()[1].split(".")[0]
    kind = place["name"].split()[0]
    numbers = []
    for segment in place["segments"]:
        assert segment["type"] == kind
        prefix, _, number = segment["name"].rpartition(".")
        assert prefix == f"{kind} segment {deployment}"
        numbers.append(int(number))
    return numbers


def ask(rows: list[Rows], request: Request) -> tuple[int, list[dict[str, Any]]]:
    """The real answer: the code of the error, or 200, and the memberships."""
    token = rows[request.deployment].token_of(request.person)
    kind, asked_for = request.organization
    query = ""
    if kind == "organization":
        owner, index = asked_for
        query = f"org_id={rows[owner].organizations[index].pk}"
    elif kind == "nonexistent":
        query = f"org_id={2**62}"
    elif kind == "malformed":
        query = f"org_id={asked_for[0]}"
    if request.sent_as == "parameter":
        query += f"&__dev_session__={token}"
    client = ApiClient(rows[request.host_of].deployment, token=token if request.sent_as == "cookie" else None)
    # The second time most of it is cached, and asked by the fast path.
    response, again = [client.get(query=query, REMOTE_ADDR=request.address) for _ in range(2)]
    assert (again.status_code, again.content) == (response.status_code, response.content)
    body = response.json()
    if response.status_code != 200:
        return body["errors"][0]["code"], []
    users = {str(user.pk): user.email for user in rows[request.deployment].users}
    return 200, [summary(item, users) for item in body["data"]]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_answer_agrees_with_a_naive_model_of_the_contract(shard: int) -> None:
    """Each graph has a transaction of its own: in a common one, each poll reads past the log rows of all before it."""
    outcomes: Counter[Any] = Counter()

    @seed(shard)
    @settings(
        max_examples=GRAPHS_PER_SHARD,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs())
    def check(graph: tuple[list[DrawnDeployment], list[Request]]) -> None:
        everything, asked = graph
        with transaction.atomic():
            rows = [write(number, drawn) for number, drawn in enumerate(everything)]
            answers = [ask(rows, request) for request in asked]
            transaction.set_rollback(True)
        outcomes["graphs"] += 1
        for request, answer in zip(asked, answers, strict=True):
            code, items = expected_answer(everything, request)
            assert answer == (code, items), request
            outcomes[code] += 1
            outcomes.update(item["restriction"] for item in items)
            outcomes["empty"] += code == 200 and not items
            outcomes["in one organization"] += bool(items) and request.organization[0] == "organization"
            outcomes["several"] += len(items) > 1
            outcomes["at once"] += len({item["day"] for item in items}) < len(items)

    check()
    assert outcomes["graphs"] >= GRAPHS_PER_SHARD
    # Without these the test would be green and say nothing.
    for outcome in (
        *(200, 40001, 40002, 40101, 40102, 40106, 40403),
        *("none", "ip_not_allowed", "mfa_required", "ip_and_mfa_required"),
        *("empty", "in one organization", "several", "at once"),
    ):
        assert outcomes[outcome] > 0, outcome
