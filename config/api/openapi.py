"""What the endpoints' descriptions in the OpenAPI document have in common: envelopes, errors, the introduction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers

from config.api.errors import Problem, error_body

EVERYWHERE = (
    Problem.MALFORMED_REQUEST,
    Problem.UNKNOWN_PATH,
    Problem.UNKNOWN_DEPLOYMENT,
    Problem.METHOD_NOT_ALLOWED,
    Problem.NOT_ACCEPTABLE,
    Problem.INTERNAL_ERROR,
    Problem.UNAVAILABLE,
)
NEEDING_A_SESSION = (
    Problem.NO_SESSION,
    Problem.INVALID_SESSION_TOKEN,
    Problem.SESSION_EXPIRED,
    Problem.SESSION_ENDED,
    Problem.NO_ACTIVE_SIGN_IN,
    Problem.USER_DISABLED,
)

DESCRIPTION = """
Which workspaces is the signed-in user a member of, in which roles, and may they enter now, from here?

**Sign-in.** The session token, a JWT, travels in the cookie `__session`. Staging deployments also take it as the query
parameter `__dev_session__`; production deployments never do.

**Answers.** Success is `{"status", "message", "data", "session"}`. Ids are strings: 64-bit integers in decimal digits.
Times are RFC 3339 in UTC. No field is ever null or absent unless it says so: an unset text is `""`, an empty list
`[]`, empty metadata `{}`. Answers carry an `ETag`; send it back in `If-None-Match` and an unchanged answer is a
`304` without a body.

**Errors.** Every status from 400 on has the body `{"errors": [{"message", "code"}]}`. `message` says what to do next;
`code` is stable, and is the HTTP status times 100 plus a number:

| code | meaning | message |
|---|---|---|
"""


class SessionSummarySerializer(serializers.Serializer):
    """The session that the request was made in."""

    id = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ErrorSerializer(serializers.Serializer):
    message = serializers.CharField(help_text="What to do next, for a person.")
    code = serializers.IntegerField(help_text="What happened, for a program.")


class ErrorResponseSerializer(serializers.Serializer):
    """The one body of all errors."""

    errors = ErrorSerializer(many=True)  # type: ignore[assignment]


class EnvelopeSerializer(serializers.Serializer):
    """The success envelope; endpoints add ``data``."""

    status = serializers.IntegerField(help_text="The HTTP status.")
    message = serializers.CharField(help_text="A short sentence for people.")
    session = SessionSummarySerializer(allow_null=True)


def error_responses(*problems: Problem) -> dict[int, OpenApiResponse]:
    """The documented responses of an endpoint that can fail with ``problems``, one example a problem."""
    by_status: dict[int, list[Problem]] = defaultdict(list)
    for problem in sorted({*problems, *EVERYWHERE}, key=lambda problem: problem.code):
        by_status[problem.status].append(problem)
    return {
        status: OpenApiResponse(
            ErrorResponseSerializer,
            description="\n".join(f"- `{problem.code}`: {problem.cause}" for problem in of_status),
            examples=[
                OpenApiExample(
                    f"{problem.code} {problem.name.lower()}",
                    value=error_body(problem),
                    response_only=True,
                    status_codes=[str(status)],
                )
                for problem in of_status
            ],
        )
        for status, of_status in by_status.items()
    }


def describe(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's hook after generation: the introduction with the whole catalogue of errors."""
    result["info"]["description"] = DESCRIPTION.strip() + "\n" + error_table(Problem)
    return result


def error_table(problems: Iterable[Problem]) -> str:
    """The catalogue as the rows of a Markdown table."""
    return "\n".join(f"| {problem.code} | {problem.cause} | {problem.message} |" for problem in problems)
