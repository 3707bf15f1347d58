"""The forms of EMAIL_URL, and the refusal of others."""

from __future__ import annotations

import pytest

from config.environment import mail_settings
from tests.support.starting import Starts


@pytest.mark.parametrize(
    ("url", "backend", "folder"),
    [
        ("console:", "console", None),
        ("console://", "console", None),
        ("file:///var/mail%20out", "filebased", "/var/mail out"),
    ],
)
def test_a_url_names_a_place_for_mail(url: str, backend: str, folder: str | None) -> None:
    settings = mail_settings(url)
    assert settings["EMAIL_BACKEND"] == f"django.core.mail.backends.{backend}.EmailBackend"
    assert settings.get("EMAIL_FILE_PATH") == folder


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("smtp://mail.example.com", "mail.example.com", 587, "STARTTLS"),
        ("smtp://mail.example.com:2525/", "mail.example.com", 2525, "STARTTLS"),
        ("smtp://mail.example.com:25?starttls=no", "mail.example.com", 25, None),
        ("smtp://localhost", "localhost", 25, None),
        ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, None),
        ("smtp://[::1]:25?starttls=no", "::1", 25, None),
        ("smtps://mail.example.com", "mail.example.com", 465, "TLS"),
        ("smtps://localhost", "localhost", 465, "TLS"),
    ],
)
def test_a_url_names_a_mail_server(url: str, host: str, port: int, tls: str | None) -> None:
    assert mail_settings(url) == {
        "EMAIL_HOST": host,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": "",
        "EMAIL_HOST_PASSWORD": "",
        "EMAIL_USE_TLS": tls == "STARTTLS",
        "EMAIL_USE_SSL": tls == "TLS",
    }


def test_user_and_password_are_percent_decoded() -> None:
    settings = mail_settings("smtp://me%40example.com:p%3A%2F%40ss@mail.example.com")
    assert (settings["EMAIL_HOST_USER"], settings["EMAIL_HOST_PASSWORD"]) == ("me@example.com", "p:/@ss")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "smtp.EmailBackend localhost 25 False"),
        ({"DEMO": "true", "DEMO_PASSWORD": "x"}, "console.EmailBackend localhost 25 False"),
        ({"EMAIL_URL": "smtp://a.example"}, "smtp.EmailBackend a.example 587 True"),
    ],
)
def test_django_sends_as_the_variable_says(starts: Starts, environment: dict[str, str], expected: str) -> None:
    shown = starts.setting('f"{s.EMAIL_BACKEND} {s.EMAIL_HOST} {s.EMAIL_PORT} {s.EMAIL_USE_TLS}"', **environment)
    assert shown == f"django.core.mail.backends.{expected}"


def test_a_wrong_url_is_refused_without_its_password(starts: Starts) -> None:
    result = starts.manage("check", EMAIL_URL="smtp://me:topsecret@mail.example.com/folder")
    assert result.returncode != 0
    assert "EMAIL_URL is wrong: it must look like" in result.stderr
    assert "topsecret" not in result.stderr
