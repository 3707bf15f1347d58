"""Helpers that invite to an organization by mail, and follow the link as people do."""

from __future__ import annotations

import re
from typing import Any

from django.core import mail as django_mail

from accounts.mail import outbox
from accounts.models import User
from memberships.models import OrganizationMembership
from tests.support.api import MULTIPART, ApiClient, data_of
from tests.support.self_service import Firm
from tests.support.sign_in import mailed_code
from tests.support.sign_up import ADA, SIGN_UP, attempt_of, prepare, verify

ACCEPT = "/organizations/invitations/accept"
VALIDATE = "/deployment/invitations/validate"
INVALID_FIELD, FORBIDDEN, INVITATION_REQUIRED, NOT_FOUND = 40004, 40301, 40309, 40404
ADDRESS = ADA["email"]


def invitations_of(firm: Firm) -> str:
    return f"/organizations/{firm.organization.pk}/invitations"


def invite(firm: Firm, client: ApiClient, email: Any = ADDRESS, **values: Any) -> Any:
    return client.post(invitations_of(firm), {"email": email} | values, content_type=MULTIPART)


def mailed_link() -> str:
    outbox.deliver_due()
    (link,) = re.findall(r"(?m)^(https?://\S+)$", str(django_mail.outbox[-1].body))
    return str(link)


def mailed_token() -> str:
    return mailed_link().rpartition("?invite_token=")[2]


def accept(client: ApiClient, token: str) -> Any:
    return data_of(client.post(ACCEPT, {"token": token}, content_type=MULTIPART))


def role_names(membership: Any) -> list[str]:
    return sorted(membership.roles.values_list("name", flat=True))


def in_organization(firm: Firm, user: User) -> OrganizationMembership | None:
    return OrganizationMembership.objects.filter(organization=firm.organization, user=user).first()


def begin_sign_up(client: ApiClient, token: str, **values: str) -> Any:
    return client.post(SIGN_UP, ADA | values | {"invite_token": token}, content_type=MULTIPART)


def sign_up(client: ApiClient, token: str, **values: str) -> Any:
    """The answer to the code of the mail."""
    attempt = attempt_of(begin_sign_up(client, token, **values))
    prepare(client, attempt)
    return verify(client, attempt, mailed_code())
