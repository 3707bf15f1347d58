"""The common parts of the endpoints' descriptions in the OpenAPI document: envelopes, errors, the introduction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiRequest,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers

from api.errors import Problem, error_body
from api.requests import ID_PATTERN

View = TypeVar("View", bound=type)

EVERYWHERE = (
    Problem.MALFORMED_REQUEST,
    Problem.REPEATED_PARAMETER,
    Problem.UNKNOWN_PATH,
    Problem.UNKNOWN_DEPLOYMENT,
    Problem.METHOD_NOT_ALLOWED,
    Problem.NOT_ACCEPTABLE,
    Problem.BODY_TOO_LARGE,
    Problem.URI_TOO_LONG,
    Problem.HEADERS_TOO_LARGE,
    Problem.INTERNAL_ERROR,
    Problem.UNAVAILABLE,
)
READING = (Problem.PRECONDITION_FAILED,)
WRITING = (Problem.FOREIGN_ORIGIN, Problem.HTTPS_REQUIRED, Problem.UNSUPPORTED_MEDIA_TYPE)
UNSETTLED = (Problem.TOKEN_REPLACED, Problem.TOKEN_NOT_YET_VALID)
NEEDING_A_SESSION = (
    Problem.NO_SESSION,
    Problem.INVALID_SESSION_TOKEN,
    Problem.SESSION_EXPIRED,
    Problem.SESSION_ENDED,
    Problem.NO_ACTIVE_SIGN_IN,
    Problem.USER_DISABLED,
    Problem.TOKEN_REUSED,
    *UNSETTLED,
)

DESCRIPTION = """
Which workspaces is the signed-in user a member of, in which roles, and may they enter now, from here?

**Sign-in.** The session token, a JWT, travels in the cookie `__session`, or as `Authorization: Bearer`. Staging
deployments also take it as the query parameter `__dev_session__`; production deployments never do.

**Answers.** Success is `{"status", "message", "data", "session"}`. Ids are strings: 64-bit integers in decimal digits.
Times are RFC 3339 in UTC. No field is ever null or absent unless it says so: an unset text is `""`, an empty list
`[]`, empty metadata `{}`. Answers carry an `ETag`; send it back in `If-None-Match` and an unchanged answer is a
`304` without a body.

## Errors

Every status from 400 on has the body `{"errors": [{"message", "code"}]}`. `message` says what to do next;
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

    errors = ErrorSerializer(many=True)  # type: ignore[assignment]  # a field named like a property of serializers


class EnvelopeSerializer(serializers.Serializer):
    """The success envelope; endpoints add ``data``."""

    status = serializers.IntegerField(help_text="The HTTP status.")
    message = serializers.CharField(help_text="A short sentence for people.")
    session = SessionSummarySerializer(allow_null=True)


@extend_schema_field({"type": "null"})
class NothingField(serializers.Field):
    """The ``data`` of an answer that has nothing to show."""


def id_in_path(description: str, name: str = "id") -> OpenApiParameter:
    """The path parameter ``name`` (``api.paths.IdConverter``)."""
    schema = {"type": "string", "pattern": f"^{ID_PATTERN}$"}
    return OpenApiParameter(name, schema, OpenApiParameter.PATH, description=description)


def envelope(name: str, data: serializers.Field) -> type[EnvelopeSerializer]:
    """The component ``name``: the success envelope around ``data``."""
    serializer: type[EnvelopeSerializer] = type(name, (EnvelopeSerializer,), {"data": data, "__doc__": "An answer."})
    return extend_schema_serializer(component_name=name, many=False)(serializer)


def endpoint(
    operation_id: str,
    summary: str,
    *,
    tag: str,
    description: str,
    answers: Any,
    examples: Mapping[str, Any],
    fails_with: Iterable[Problem] = (),
    parameters: Sequence[OpenApiParameter] = (),
    request: Any = None,
    requests: Mapping[str, Any] | None = None,
    method: str = "GET",
) -> Callable[..., Any]:
    """The decorator that describes an endpoint: its parameters, its answer with status 200, examples, and its errors.

    Parts common to all endpoints of a method are added: conditional requests to GET; body and origin errors to POST.
    """
    reads = method == "GET"
    problems = [*fails_with, *(READING if reads else WRITING)]
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description,
        tags=[tag],
        request=_body(request, requests) if requests else request,
        parameters=[*parameters, *(_CONDITIONAL if reads else [])],
        responses={
            200: OpenApiResponse(
                answers,
                description="Done." if not reads else "Here it is.",
                examples=[
                    OpenApiExample(name, value=value, response_only=True, status_codes=["200"])
                    for name, value in examples.items()
                ],
            ),
            **(
                {304: OpenApiResponse(description="The answer is still the one that If-None-Match names.")}
                if reads
                else {}
            ),
            **error_responses(*problems),
        },
    )


def described(**endpoints: Callable[..., Any]) -> Callable[[View], View]:
    """The decorator that describes methods that a ViewSet has from its base, each by the ``endpoint`` of its name.

    The base may serve several ViewSets, so each gets methods of its own.
    """

    def describe_methods(view: View) -> View:
        for name, description in endpoints.items():
            setattr(view, name, description(_copy(getattr(view, name))))
        return view

    return describe_methods


def _copy(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def own(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return own


def _body(request: Any, examples: Mapping[str, Any]) -> OpenApiRequest:
    return OpenApiRequest(request, examples=[OpenApiExample(name, value=value) for name, value in examples.items()])


def body_with_file(
    fields: Any, form: Any, examples: Mapping[str, Any], with_file: Mapping[str, Any]
) -> dict[str, OpenApiRequest]:
    """The body of a request: ``fields`` of any media type, or a multipart ``form``, which may hold a file as well."""
    without = _body(fields, examples)
    return {
        "application/json": without,
        "application/x-www-form-urlencoded": without,
        "multipart/form-data": _body(form, {**examples, "a file": with_file}),
    }


def enveloped(data: Any, message: str) -> dict[str, Any]:
    """An example of a whole answer with ``data``."""
    session = {"id": "88121", "created_at": EXAMPLE_TIME, "updated_at": EXAMPLE_TIME}
    return {"status": 200, "message": message, "data": data, "session": session}


EXAMPLE_TIME = "2026-03-02T09:30:00.000000Z"

_CONDITIONAL = [
    OpenApiParameter(
        "If-None-Match", str, OpenApiParameter.HEADER, description="The ETag of the answer that the client has."
    ),
    OpenApiParameter("ETag", str, OpenApiParameter.HEADER, response=[200, 304], description="The answer's version."),
]


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
    """drf-spectacular's hook after generation: the introduction with the whole catalogue of errors, and for endpoints
    without a session, a statement that they need none (OpenAPI takes silence for that; linters and people do not).
    """
    result["info"]["description"] = DESCRIPTION.strip() + "\n" + error_table(Problem)
    for operation in (operation for methods in result["paths"].values() for operation in methods.values()):
        operation.setdefault("security", [])
    return result


def error_table(problems: Iterable[Problem]) -> str:
    """The catalogue as the rows of a Markdown table."""
    return "\n".join(f"| {problem.code} | {problem.cause} | {problem.message} |" for problem in problems)
