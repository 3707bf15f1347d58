"""Turns every exception of a request into an answer in the error envelope."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import DisallowedHost, ObjectDoesNotExist, PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import csrf, defaults
from django.views.decorators.csrf import csrf_exempt
from psycopg.errors import ForeignKeyViolation, ReadOnlySqlTransaction
from rest_framework import exceptions as drf
from rest_framework.views import set_rollback

from api.errors import LAST_ADMIN, ApiError, Problem, error_response

logger = logging.getLogger("rollcall")

_PROBLEMS: list[tuple[type[BaseException] | tuple[type[BaseException], ...], Problem]] = [
    ((Http404, drf.NotFound), Problem.UNKNOWN_PATH),
    ((PermissionDenied, drf.PermissionDenied), Problem.FORBIDDEN),
    (drf.NotAuthenticated, Problem.NO_SESSION),
    (drf.AuthenticationFailed, Problem.INVALID_SESSION_TOKEN),
    (drf.MethodNotAllowed, Problem.METHOD_NOT_ALLOWED),
    (drf.NotAcceptable, Problem.NOT_ACCEPTABLE),
    (drf.UnsupportedMediaType, Problem.UNSUPPORTED_MEDIA_TYPE),
    (drf.Throttled, Problem.TOO_MANY_REQUESTS),
    (DisallowedHost, Problem.UNKNOWN_DEPLOYMENT),
    ((drf.ParseError, drf.ValidationError, SuspiciousOperation), Problem.MALFORMED_REQUEST),
    ((OperationalError, InterfaceError), Problem.UNAVAILABLE),
]


def to_response(exception: Exception, context: dict[str, Any]) -> HttpResponse:
    """Django REST framework's EXCEPTION_HANDLER. An unforeseen exception goes to the log, never to the client."""
    set_rollback()
    if isinstance(exception, ApiError):
        return error_response(exception.problem, exception.message, headers=exception.headers)
    problem = problem_of(exception)
    headers = {}
    if isinstance(exception, drf.MethodNotAllowed):
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    if isinstance(exception, drf.Throttled) and (wait := getattr(exception, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    if problem.status >= 500:
        logger.error("%s %s failed", context["request"].method, context["request"].path, exc_info=exception)
    return error_response(problem, headers=headers)


def problem_of(exception: BaseException | None) -> Problem:
    """The catalogue's entry for an exception of Django, Django REST framework or the database."""
    if violated_by(exception) == LAST_ADMIN:
        return Problem.LAST_ADMINISTRATOR
    if isinstance(getattr(exception, "__cause__", None), ReadOnlySqlTransaction) or _met_a_deletion(exception):
        return Problem.UNAVAILABLE
    for types, problem in _PROBLEMS:
        if isinstance(exception, types):
            return problem
    return Problem.INTERNAL_ERROR


def violated_by(exception: BaseException | None) -> str:
    """The name of the constraint or trigger by which the database refused something, "" if it is no such refusal."""
    diagnostics: Any = getattr(exception.__cause__, "diag", None) if isinstance(exception, IntegrityError) else None
    return getattr(diagnostics, "constraint_name", None) or ""


def _met_a_deletion(exception: BaseException | None) -> bool:
    """Whether somebody deleted what the request found, before it was done with it. Sent again, it finds nothing."""
    if isinstance(exception, ObjectDoesNotExist) or isinstance(
        getattr(exception, "__cause__", None), ForeignKeyViolation
    ):
        return True
    # Django says so of a row to save; a trigger, of the two rows that a third joins.
    return type(exception) is DatabaseError or violated_by(exception).endswith("_fits")


# Django's handlers of failures outside of the API's views: staff get Django's pages, everybody else the envelope.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_for_staff(request) and not isinstance(exception, DisallowedHost):
        return defaults.bad_request(request, exception)
    return error_response(problem_of(exception))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_for_staff(request):
        return defaults.permission_denied(request, exception)
    return error_response(Problem.FORBIDDEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if _is_for_staff(request):
        return csrf.csrf_failure(request, reason)
    return error_response(Problem.FORBIDDEN)


def body_too_large(request: HttpRequest, limit: int) -> HttpResponse:
    """413: the body is longer than ``limit`` bytes."""
    if _is_for_staff(request):
        return render(request, "413.html", {"limit": limit}, status=413)
    message = f"This is too large; send {limit // 2**20} MB at most." if limit >= 2**20 else None
    return error_response(Problem.BODY_TOO_LARGE, message)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_for_staff(request):
        return defaults.page_not_found(request, exception)
    return error_response(Problem.UNKNOWN_PATH)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django calls this while it handles the exception."""
    problem = problem_of(sys.exception())
    response = error_response(problem)
    if not _is_for_staff(request):
        return response
    if problem is not Problem.UNAVAILABLE:
        return defaults.server_error(request)
    page = render_to_string("503.html")
    return HttpResponse(page, status=503, headers={"Retry-After": response.headers["Retry-After"]})


def reads_only(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A plain view that takes GET and HEAD; the error envelope says so to the others."""

    @csrf_exempt
    @wraps(view)
    def checked(request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return error_response(Problem.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        return view(request)

    return checked


def _is_for_staff(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/")
