"""The parts that the descriptions of places' endpoints share: the doors with their errors, ids and examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from api.errors import Problem
from api.openapi import NEEDING_A_SESSION, endpoint, envelope, enveloped, id_in_path
from memberships.schema import ORGANIZATION_MEMBERSHIP_EXAMPLE, WORKSPACE_MEMBERSHIP_EXAMPLE
from memberships.self_service.serializers import SuccessSerializer

ORGANIZATION_ID = id_in_path("The id of the organization.")
TO_ADMINISTRATORS = "Only to administrators of the organization."

ORGANIZATION_MEMBER_EXAMPLE = {
    name: value for name, value in ORGANIZATION_MEMBERSHIP_EXAMPLE.items() if name != "eligibility_restriction"
}
WORKSPACE_MEMBER_EXAMPLE = {
    name: value for name, value in WORKSPACE_MEMBERSHIP_EXAMPLE.items() if name != "eligibility_restriction"
} | {"user": ORGANIZATION_MEMBERSHIP_EXAMPLE["user"]}

_SUCCESS = envelope("SuccessResponse", SuccessSerializer())


def in_organization(
    operation_id: str, summary: str, *, message: str, data: Any, fails_with: Iterable[Problem] = (), **options: Any
) -> Callable[..., Any]:
    """An endpoint behind ``standing.in_organization``, with the errors of that door."""
    return _place(
        operation_id, summary, Problem.NOT_A_MEMBER, message, data, fails_with, tag="Organizations", **options
    )


def in_workspace(
    operation_id: str, summary: str, *, message: str, data: Any, fails_with: Iterable[Problem] = (), **options: Any
) -> Callable[..., Any]:
    """An endpoint behind ``standing.in_workspace``, with the errors of that door."""
    return _place(operation_id, summary, Problem.NOT_FOUND, message, data, fails_with, tag="Workspaces", **options)


def _place(
    operation_id: str,
    summary: str,
    strange: Problem,
    message: str,
    data: Any,
    fails_with: Iterable[Problem],
    **options: Any,
) -> Callable[..., Any]:
    writes = options.get("method") == "POST"
    problems = {strange, Problem.FORBIDDEN, Problem.ENTRY_RESTRICTED, *fails_with}
    if writes:
        problems.add(Problem.TOO_MANY_REQUESTS)
    return endpoint(
        operation_id,
        summary,
        examples={"done" if writes else "an answer": enveloped(data, message)},
        fails_with=[*NEEDING_A_SESSION, *sorted(problems, key=lambda problem: problem.code)],
        **options,
    )


def success(message: str) -> dict[str, Any]:
    """The options of a change that answers no more than that it is done."""
    return {
        "method": "POST",
        "answers": _SUCCESS,
        "message": message,
        "data": {"success": True, "message": message},
    }
