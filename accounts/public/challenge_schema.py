"""How the OpenAPI document describes the steps before signing in."""

from __future__ import annotations

from accounts.answers.serializers import (
    ChallengeSerializer,
    IdentifiedSerializer,
    IdentifyRequestSerializer,
    RedeemedSerializer,
    RedeemRequestSerializer,
)
from accounts.sign_in.challenges import COUNT, SALT_LENGTH
from api.errors import Problem
from api.openapi import endpoint, envelope, enveloped

new = endpoint(
    "GetChallenge",
    "A proof of work for signing in",
    tag="Sign-in",
    method="POST",
    description=(
        "For the public Cap widget (`@cap.js/widget`, `data-cap-api-endpoint` ending in `/captcha/`): without the "
        "envelope, and without a session. Take part if the deployment demands it."
    ),
    answers=ChallengeSerializer,
    examples={
        "a challenge": {
            "challenge": {"c": COUNT, "s": SALT_LENGTH, "d": 4},
            "token": "WzEsIlEyN2hLb3dSQm5tS2QxM3YiLDQsMTc3MjQ0NDQwMDAwMF0:1vwAbC:0QfWq3d7m",
            "expires": 1772444400000,
        }
    },
)

redeem = endpoint(
    "RedeemChallenge",
    "Exchange a solved proof of work for a token",
    tag="Sign-in",
    method="POST",
    description="Send the token as `challenge_token` when you sign in. It is good once, for ten minutes.",
    request=RedeemRequestSerializer,
    requests={
        "solved": {
            "token": "WzEsIlEyN2hLb3dSQm5tS2QxM3YiLDQsMTc3MjQ0NDQwMDAwMF0:1vwAbC:0QfWq3d7m",
            "solutions": [40327, 112, 90311],
        }
    },
    answers=RedeemedSerializer,
    examples={
        "a token": {
            "success": True,
            "token": "WzEsIlEyN2hLb3dSQm5tS2QxM3YiLDE3NzI0NDUwMDAwMDBd:1vwAbD:Zb1xTq8sD",
            "expires": 1772445000000,
        }
    },
    fails_with=[Problem.INVALID_FIELD, Problem.CHALLENGE_FAILED],
)

identify = endpoint(
    "Identify",
    "Ask how somebody signs in",
    tag="Sign-in",
    method="POST",
    description=(
        "The answer is the same for everybody, known or not. It takes the challenge's token if the deployment demands "
        "one, and leaves it good for signing in."
    ),
    request=IdentifyRequestSerializer,
    requests={"by e-mail address": {"identifier": "ada@example.com"}},
    answers=envelope("IdentifyResponse", IdentifiedSerializer()),
    examples={"a password": enveloped({"strategy": "password"}, "Go on with your password.")},
    fails_with=[Problem.INVALID_FIELD, Problem.CHALLENGE_REQUIRED, Problem.CHALLENGE_FAILED],
)
