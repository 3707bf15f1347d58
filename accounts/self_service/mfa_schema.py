"""Describes the endpoints of one's own MFA for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.answers.serializers import (
    StepUpSerializer,
    UserAuthenticatorSerializer,
    VerifyAuthenticatorSerializer,
)
from api.errors import Problem
from api.openapi import EXAMPLE_TIME, NEEDING_A_SESSION, endpoint, envelope, enveloped, id_in_path

_AUTHENTICATOR_ANSWER = envelope("AuthenticatorResponse", UserAuthenticatorSerializer())
_AUTHENTICATOR = {"id": "61", "created_at": EXAMPLE_TIME}
_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - an example
_STEPPING_UP = {
    "a first authenticator, just after signing in": {},
    "a first authenticator, later": {"password": "correct horse battery staple"},
    "with an authenticator": {"verification_code": "492039"},
}
_STEP_UP = (
    "A session alone is not enough: a user with an authenticator gives one of its codes, or a backup code; a user "
    "without one gives their password, unless they signed in within the last ten minutes."
)
_STEP_UP_FAILS_WITH = (
    *NEEDING_A_SESSION,
    Problem.INVALID_FIELD,
    Problem.WRONG_CODE,
    Problem.WRONG_PASSWORD,
    Problem.CODE_REQUIRED,
    Problem.RECENT_SIGN_IN_REQUIRED,
    Problem.TOO_MANY_REQUESTS,
)

new_authenticator = endpoint(
    "GenerateAuthenticator",
    "Begin to set up an authenticator",
    tag="Me",
    method="POST",
    description=(f"It counts once it is confirmed, within ten minutes. Earlier unconfirmed ones are void. {_STEP_UP}"),
    request=StepUpSerializer,
    requests=_STEPPING_UP,
    answers=_AUTHENTICATOR_ANSWER,
    examples={
        "to be confirmed": enveloped(
            _AUTHENTICATOR
            | {"totp_secret": _SECRET, "otp_url": f"otpauth://totp/Nordlys:ada%40example.com?secret={_SECRET}"},
            "Scan the code, then confirm with two successive codes.",
        )
    },
    fails_with=_STEP_UP_FAILS_WITH,
)

confirm_authenticator = endpoint(
    "VerifyAuthenticator",
    "Confirm an authenticator with two successive codes",
    tag="Me",
    method="POST",
    description="From now on signing in takes a code. It replaces an earlier authenticator.",
    request=VerifyAuthenticatorSerializer,
    requests={"two codes": {"authenticator_id": "61", "codes": ["492039", "773125"]}},
    answers=_AUTHENTICATOR_ANSWER,
    examples={"confirmed": enveloped(_AUTHENTICATOR, "Your authenticator is set up.")},
    fails_with=[
        *NEEDING_A_SESSION,
        Problem.INVALID_FIELD,
        Problem.WRONG_CODE,
        Problem.NOT_FOUND,
    ],
)

_BACKUP_CODES: dict[str, Any] = {
    "tag": "Me",
    "method": "POST",
    "request": StepUpSerializer,
    "answers": envelope("BackupCodesResponse", serializers.ListField(child=serializers.CharField())),
    "examples": {
        "ten codes": enveloped(
            [f"{code}7kq2mzrt" for code in ("ab", "cd", "ef", "gh", "jk", "mn", "pq", "rs", "tv", "wx")],
            "Keep these codes; they are not shown again, and those before them are void.",
        )
    },
    "fails_with": [*_STEP_UP_FAILS_WITH, Problem.AUTHENTICATOR_REQUIRED],
}

new_backup_codes = endpoint(
    "GenerateBackupCodes",
    "Make backup codes",
    description=(
        "Each replaces one code of the authenticator, which must be confirmed. Earlier codes are void. "
        f"{_STEP_UP} The first codes need nothing more if the authenticator was confirmed in this sign-in within the "
        "last ten minutes."
    ),
    requests={
        "just after confirming the authenticator": {},
        "at any time": {"verification_code": "492039"},
    },
    **_BACKUP_CODES,
)

regenerate_backup_codes = endpoint(
    "RegenerateBackupCodes",
    "Make backup codes anew",
    description=f"The same as `/me/backup-codes`. {_STEP_UP}",
    requests={"with a code": {"verification_code": "492039"}},
    **_BACKUP_CODES,
)

delete_authenticator = endpoint(
    "DeleteAuthenticator",
    "Remove an authenticator",
    tag="Me",
    method="POST",
    description=(
        "Signing in takes no code from then on, and the backup codes are gone. Other sessions of the user end, and the "
        f"user is informed by mail. {_STEP_UP}"
    ),
    parameters=[id_in_path("The id of the authenticator.")],
    request=StepUpSerializer,
    requests={"with a code": {"verification_code": "492039"}},
    answers=envelope("DeleteAuthenticatorResponse", serializers.CharField()),
    examples={"removed": enveloped("", "Your authenticator is removed.")},
    fails_with=[*_STEP_UP_FAILS_WITH, Problem.NOT_FOUND],
)
