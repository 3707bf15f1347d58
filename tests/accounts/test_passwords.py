"""New passwords: their rules, and the effects of a change."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import check_password
from django.core import mail as django_mail
from django.db import transaction
from django.utils import timezone

from accounts.credentials import passwords
from accounts.mail import outbox
from accounts.models import Deployment, Mail, SignInAttempt, User
from api.errors import ApiError, Problem
from tests.support.cases import each
from tests.support.factories import UserFactory, session_of

GOOD = "seven lazy foxes jump"


@each(
    ("password", "reason"),
    [
        ("short", "too short"),
        ("1q2w3e4r5t6y7u8i9o0p", "too common"),
        ("ada.lindqvist@example.com", "too similar to the email"),
        ("AdaLindqvist!", "too similar"),
    ],
)
def test_a_poor_password_is_refused_with_the_reason(password: str, reason: str) -> None:
    user = User(email="ada.lindqvist@example.com", username="adalindqvist", first_name="Ada", last_name="Lindqvist")
    with pytest.raises(ApiError, match=reason) as refusal:
        passwords.require_good(password, user)
    assert refusal.value.problem is Problem.WEAK_PASSWORD


def test_a_good_password_is_taken() -> None:
    user = User(email="ada@example.com")
    passwords.require_good(GOOD, user)
    with pytest.raises(ApiError):
        passwords.require_good(user.email, user)


def test_a_change_ends_all_sessions_but_the_one_to_keep_and_attempts(user: User) -> None:
    kept, other = session_of(user), session_of(user)
    attempt = SignInAttempt.objects.create(
        deployment=user.deployment,
        session=kept,
        user=user,
        method=SignInAttempt.Method.EMAIL,
        expires_at=timezone.now() + timedelta(minutes=5),
    )
    with transaction.atomic():
        passwords.change(user, GOOD, address=None, keep=kept)
    user.refresh_from_db()
    assert check_password(GOOD, user.password)
    for session, is_over in ((kept, False), (other, True)):
        session.refresh_from_db()
        assert (session.ended_at is not None) == is_over
    attempt.refresh_from_db()
    assert attempt.expires_at <= timezone.now()


def test_a_change_is_told_by_mail_with_time_and_address(user: User) -> None:
    with transaction.atomic():
        passwords.change(user, GOOD, address=ipaddress.ip_address("198.51.100.7"))
    outbox.deliver_due()
    (message,) = django_mail.outbox
    assert message.to == [user.email]
    assert "from 198.51.100.7" in str(message.body)
    assert f"{timezone.now():%B %Y}" in str(message.body)


def test_nobody_is_told_where_there_is_no_address(deployment: Deployment) -> None:
    user = UserFactory.create(deployment=deployment, email="", username="ada")
    with transaction.atomic():
        passwords.change(user, GOOD, address=None)
    assert not Mail.objects.exists()
