"""The steps before signing in: the proof of work, and the question how somebody signs in."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpResponse, QueryDict
from rest_framework.request import Request

from accounts.authentication.sessions import Caller
from accounts.deployments.cached_deployments import deployment_of
from accounts.polled.viewsets import VisitorViewSet
from accounts.public import challenge_schema as schema
from accounts.sign_in import challenges
from api.answers import answer, json_answer
from api.errors import ApiError, Problem
from api.requests import body_of, text_field
from api.viewsets import ApiViewSet


class ChallengeViewSet(ApiViewSet):
    """The protocol of the public Cap widget, which knows no envelope, sessions or cookies."""

    authentication_classes = []

    @schema.new
    def new(self, request: Request) -> HttpResponse:
        return json_answer(request, challenges.new(deployment_of(request)))

    @schema.redeem
    def redeem(self, request: Request) -> HttpResponse:
        deployment = deployment_of(request)
        body = body_of(request)
        token = text_field(body, "token", max_length=challenges.MAX_TOKEN)
        solutions: Any = body.get("solutions")
        if isinstance(body, QueryDict):
            texts = body.getlist("solutions")
            solutions = [int(text) for text in texts] if all(map(challenges.is_number, texts)) else None
        if not isinstance(solutions, list):
            raise ApiError(Problem.INVALID_FIELD, "solutions must be a list of whole numbers.")
        return json_answer(request, challenges.redeem(deployment, token, solutions))


class IdentifyViewSet(VisitorViewSet):
    """How somebody signs in, which is the same for everybody: it does not say who exists, and looks nobody up."""

    @schema.identify
    def identify(self, request: Request) -> HttpResponse:
        caller = cast(Caller, request.auth)
        body = body_of(request)
        text_field(body, "identifier")
        challenges.require(caller.deployment, body)
        return answer(
            request,
            message="Go on with your password.",
            data={"strategy": "password"},
            session=caller.session_summary,
        )
