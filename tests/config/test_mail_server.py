"""The forms of EMAIL_URL, and the refusal of others."""

from __future__ import annotations

import pytest

from config.environment import MailServer, mail_server
from tests.config.test_project import manage


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("console:", MailServer("console")),
        ("console://", MailServer("console")),
        ("file:///var/mail%20out", MailServer("filebased", folder="/var/mail out")),
        ("smtp://mail.example.com", MailServer("smtp", "mail.example.com", 587, starts_tls=True)),
        ("smtp://mail.example.com:2525/", MailServer("smtp", "mail.example.com", 2525, starts_tls=True)),
        ("smtp://localhost:25?starttls=no", MailServer("smtp", "localhost", 25)),
        ("smtp://[::1]:25?starttls=no", MailServer("smtp", "::1", 25)),
        ("smtps://mail.example.com", MailServer("smtp", "mail.example.com", 465, is_tls=True)),
        (
            "smtp://me%40example.com:p%3A%2F%40ss@mail.example.com",
            MailServer("smtp", "mail.example.com", 587, "me@example.com", "p:/@ss", starts_tls=True),
        ),
    ],
)
def test_a_url_names_a_mail_server(url: str, expected: MailServer) -> None:
    assert mail_server(url) == expected


PRINT = "from django.conf import settings as s; print(s.EMAIL_BACKEND, s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_USE_TLS)"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "django.core.mail.backends.smtp.EmailBackend localhost 25 False"),
        ({"DEMO": "true", "DEMO_PASSWORD": "x"}, "django.core.mail.backends.console.EmailBackend  0 False"),
        ({"EMAIL_URL": "smtp://a.example"}, "django.core.mail.backends.smtp.EmailBackend a.example 587 True"),
    ],
)
def test_django_sends_as_the_variable_says(environment: dict[str, str], expected: str) -> None:
    result = manage("shell", "-v0", "-c", PRINT, **environment)
    assert result.stdout.strip() == expected, result.stderr


def test_a_wrong_url_is_refused_without_its_password() -> None:
    result = manage("check", EMAIL_URL="smtp://me:topsecret@mail.example.com/folder")
    assert result.returncode != 0
    assert "EMAIL_URL is wrong: it must look like" in result.stderr
    assert "topsecret" not in result.stderr
