"""The outbox: what is written is sent once, whatever the mail server does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import get_connection
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.mail import outbox
from accounts.models import Deployment, Mail
from accounts.values.mail_texts import Template
from tests.support.cases import each
from tests.support.database import everything_stored
from tests.support.factories import DeploymentFactory
from tests.support.mail import MailServer, lead_to, mail_server
from tests.support.server import free_port

CODE = "492039"


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    settings.DEMO = False
    with mail_server(settings) as server:
        yield server


def write(deployment: Deployment, to: str = "ada@example.com", **options: Any) -> Mail:
    values = {"code": CODE, "minutes": "10"}
    return outbox.send(deployment, to=to, template=Template.SIGN_IN_CODE, values=values, **options)


def state_of(row: Mail) -> str:
    row.refresh_from_db()
    return row.state


def make_due() -> None:
    """Let the time until the next try pass."""
    Mail.objects.update(next_try_at=timezone.now())


# Writing


def test_a_mail_is_undone_with_the_change_that_it_tells_of(deployment: Deployment) -> None:
    with transaction.atomic():
        write(deployment)
        transaction.set_rollback(True)
    assert not Mail.objects.exists()


def test_the_sender_is_woken_by_the_commit_and_not_before(
    deployment: Deployment, django_capture_on_commit_callbacks: Any
) -> None:
    outbox.due.clear()
    with django_capture_on_commit_callbacks(execute=True):
        write(deployment)
        assert not outbox.due.is_set()
    assert outbox.due.is_set()


def test_writing_needs_no_mail_server(deployment: Deployment, settings: Any) -> None:
    lead_to(settings, free_port())
    assert state_of(write(deployment)) == "waiting"


@each("values", [{}, {"code": CODE}, {"code": CODE, "minutes": "10", "link": "https://a.example"}])
def test_values_other_than_the_templates_are_a_programmers_mistake(
    deployment: Deployment, values: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="takes the values"):
        outbox.send(deployment, to="ada@example.com", template=Template.SIGN_IN_CODE, values=values)


# Sending


def test_a_mail_is_sent_in_text_and_html(server: MailServer, deployment: Deployment) -> None:
    row = write(deployment)
    assert outbox.deliver_due() == 1
    (message,) = server.messages
    assert message["To"] == "ada@example.com"
    assert message["From"] == f"{deployment.name} <no-reply@{deployment.host}>"
    assert message["Subject"] == f"Sign in to {deployment.name}"
    assert message["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        part: Any = message.get_body((kind,))
        assert CODE in part.get_content()
        assert "10 minutes" in part.get_content()
    assert state_of(row) == "sent"
    assert row.sent_at is not None
    assert row.tries == 1


def test_a_mail_is_sent_once(server: MailServer, deployment: Deployment) -> None:
    write(deployment)
    assert [outbox.deliver_due(), outbox.deliver_due()] == [1, 0]
    make_due()
    assert outbox.deliver_due() == 0
    assert len(server.messages) == 1


def test_many_mails_go_over_one_connection(server: MailServer, deployment: Deployment) -> None:
    for number in range(20):
        write(deployment, f"user{number}@example.com")
    assert outbox.deliver_due() == 20
    assert server.recipients == [f"user{number}@example.com" for number in range(20)]
    assert server.connections == 1


def test_the_deployment_says_whom_mails_come_from(server: MailServer, deployment: Deployment, settings: Any) -> None:
    settings.MAIL_SENDER = "mail@service.example"
    write(deployment)
    outbox.deliver_due()
    Deployment.objects.update(mail_sender="hello@nordlys.example", mail_sender_name="Nordlys, das „Licht“")
    write(deployment)
    outbox.deliver_due()
    first, second = server.messages
    assert first["From"] == f"{deployment.name} <mail@service.example>"
    assert second["From"].addresses[0].addr_spec == "hello@nordlys.example"
    assert second["From"].addresses[0].display_name == "Nordlys, das „Licht“"


def test_a_deployment_at_an_ip_address_sends_as_localhost(server: MailServer, deployment: Deployment) -> None:
    Deployment.objects.update(host="127.0.0.1")
    write(deployment)
    outbox.deliver_due()
    assert server.messages[0]["From"].addresses[0].addr_spec == "no-reply@localhost"


def test_an_international_domain_is_sent_to_in_ascii(server: MailServer, deployment: Deployment) -> None:
    write(deployment, "ada@münchen.example")
    outbox.deliver_due()
    assert server.recipients == ["ada@xn--mnchen-3ya.example"]


def test_an_address_that_no_mail_server_takes_is_refused_at_once(server: MailServer, deployment: Deployment) -> None:
    row, other = write(deployment, "ädä@example.com"), write(deployment)
    outbox.deliver_due()
    assert [state_of(row), state_of(other)] == ["refused", "sent"]
    assert "before the @" in row.last_error


def test_the_command_sends_what_is_due(server: MailServer, deployment: Deployment, capsys: Any) -> None:
    write(deployment)
    call_command("send_mail")
    assert capsys.readouterr().out == "1 mails sent\n"
    assert len(server.messages) == 1


# Content


def test_a_code_can_be_read_in_no_table(server: MailServer, deployment: Deployment) -> None:
    row = write(deployment)
    assert CODE not in everything_stored()
    assert bytes(row.content or b"") != b""
    outbox.deliver_due()
    row.refresh_from_db()
    assert row.content is None


def test_a_demo_keeps_the_content_until_it_is_good_no_longer(
    server: MailServer, deployment: Deployment, settings: Any
) -> None:
    settings.DEMO = True
    row = write(deployment)
    outbox.deliver_due()
    row.refresh_from_db()
    assert row.content is not None
    Mail.objects.update(good_until=timezone.now())
    outbox.deliver_due()
    assert state_of(row) == "sent"
    assert row.content is None


# A mail server that fails


def test_a_mail_waits_for_a_mail_server_that_is_down(
    deployment: Deployment, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEMO = False
    port = free_port()
    lead_to(settings, port)
    row = write(deployment)
    with caplog.at_level(logging.WARNING):
        assert outbox.deliver_due() == 0
    assert state_of(row) == "waiting"
    assert row.tries == 1
    assert "refused" in row.last_error
    assert f"Mail {row.pk} could not be sent at try 1" in caplog.text
    assert "ada@" not in caplog.text
    with mail_server(settings) as server:
        assert outbox.deliver_due() == 0, "it is tried again before its time"
        make_due()
        assert outbox.deliver_due() == 1
    assert server.recipients == ["ada@example.com"]
    assert state_of(row) == "sent"
    assert row.last_error == ""


def test_a_mail_server_that_is_down_is_not_asked_for_each_mail(deployment: Deployment, settings: Any) -> None:
    lead_to(settings, free_port())
    for _ in range(5):
        write(deployment)
    outbox.deliver_due()
    assert sorted(Mail.objects.values_list("tries", flat=True)) == [0, 0, 0, 0, 1]


def test_the_pauses_between_tries_grow_to_an_hour(deployment: Deployment, settings: Any) -> None:
    lead_to(settings, free_port())
    row = write(deployment)
    pauses = []
    for _ in range(9):
        make_due()
        now = timezone.now()
        outbox.deliver_due()
        row.refresh_from_db()
        pauses.append(round((row.next_try_at - now).total_seconds(), -1))
    assert pauses == [10, 30, 90, 270, 810, 2430, 3600, 3600, 3600]


def test_a_slow_mail_server_is_left_after_the_timeout(
    server: MailServer, deployment: Deployment, settings: Any
) -> None:
    settings.EMAIL_TIMEOUT = 0.2
    server.greets_after = 3
    row = write(deployment)
    assert outbox.deliver_due() == 0
    assert state_of(row) == "waiting"
    assert "timed out" in row.last_error
    server.greets_after = 0
    make_due()
    assert outbox.deliver_due() == 1


@pytest.mark.parametrize("command", ["EHLO", "MAIL", "RCPT", "DATA"])
def test_a_connection_that_breaks_loses_no_mail(server: MailServer, deployment: Deployment, command: str) -> None:
    server.hangs_up_at = command
    rows = [write(deployment), write(deployment)]
    assert outbox.deliver_due() == 0
    assert [state_of(row) for row in rows] == ["waiting", "waiting"]
    server.hangs_up_at = ""
    make_due()
    assert outbox.deliver_due() == 2
    assert len(server.messages) == 2


def test_a_mail_that_was_sent_is_not_sent_again_when_the_server_hangs_up(
    server: MailServer, deployment: Deployment
) -> None:
    server.hangs_up_at = "QUIT"
    row = write(deployment)
    assert outbox.deliver_due() == 1
    assert state_of(row) == "sent"


def test_a_mail_server_without_the_encryption_asked_for_gets_nothing(
    server: MailServer, deployment: Deployment, settings: Any
) -> None:
    settings.EMAIL_USE_TLS = True
    row = write(deployment)
    assert outbox.deliver_due() == 0
    assert server.messages == []
    assert state_of(row) == "waiting"
    assert "STARTTLS" in row.last_error


def test_one_refused_recipient_stops_no_other_mail(
    server: MailServer, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    server.refusals = {"gone@example.com": "550 5.1.1 There is no such mailbox"}
    rows = [write(deployment, f"{name}@example.com") for name in ("ada", "gone", "bo")]
    with caplog.at_level(logging.WARNING):
        assert outbox.deliver_due() == 2
    assert server.recipients == ["ada@example.com", "bo@example.com"]
    assert [state_of(row) for row in rows] == ["sent", "refused", "sent"]
    assert rows[1].last_error == "550 5.1.1 There is no such mailbox"
    assert f"Mail {rows[1].pk} was refused for good: 550" in caplog.text
    make_due()
    assert outbox.deliver_due() == 0, "a refused mail is tried again unasked"


def test_a_recipient_refused_for_now_is_tried_again(server: MailServer, deployment: Deployment) -> None:
    server.refusals = {"ada@example.com": "451 4.7.1 Try again in a minute"}
    row, other = write(deployment), write(deployment, "bo@example.com")
    assert outbox.deliver_due() == 1
    assert [state_of(row), state_of(other)] == ["waiting", "sent"]
    assert row.last_error.startswith("451")
    server.refusals = {}
    make_due()
    assert outbox.deliver_due() == 1


def test_a_refused_mail_can_be_sent_again(server: MailServer, deployment: Deployment) -> None:
    server.refusals = {"ada@example.com": "550 Mailbox disabled"}
    row = write(deployment)
    outbox.deliver_due()
    server.refusals = {}
    outbox.send_again([row])
    assert outbox.deliver_due() == 1
    assert state_of(row) == "sent"
    outbox.send_again([row])
    assert outbox.deliver_due() == 0


@pytest.mark.parametrize("refusal", ["550 No", "451 Later"])
def test_what_is_good_no_longer_is_given_up_and_emptied(
    server: MailServer, deployment: Deployment, refusal: str
) -> None:
    server.refusals = {"ada@example.com": refusal}
    row = write(deployment, good_for=timedelta(minutes=10))
    outbox.deliver_due()
    assert row.content is not None
    Mail.objects.update(good_until=timezone.now(), next_try_at=timezone.now())
    server.refusals = {}
    assert outbox.deliver_due() == 0
    assert state_of(row) == "expired"
    assert row.content is None
    assert row.last_error.startswith(refusal[:3])


def test_a_mail_that_cannot_be_made_stops_no_other(server: MailServer, deployment: Deployment) -> None:
    """Such as one that was encrypted with a key that is lost."""
    row, other = write(deployment), write(deployment, "bo@example.com")
    Mail.objects.filter(pk=row.pk).update(content=b"nonsense")
    assert outbox.deliver_due() == 1
    assert [state_of(row), state_of(other)] == ["waiting", "sent"]
    assert "KEY_ENCRYPTION_KEYS" in row.last_error


def test_old_mails_are_swept_but_none_that_waits(server: MailServer, deployment: Deployment) -> None:
    write(deployment)
    outbox.deliver_due()
    waiting = write(deployment)
    assert outbox.sweep(before=timezone.now() + timedelta(seconds=1)) == 1
    assert list(Mail.objects.all()) == [waiting]


# Several processes


@pytest.mark.django_db(transaction=True)
def test_of_many_senders_at_once_one_sends_each_mail(server: MailServer) -> None:
    server.takes_after = 0.01
    deployment = DeploymentFactory.create()
    for number in range(30):
        write(deployment, f"user{number}@example.com")

    def deliver(_: int) -> int:
        try:
            return outbox.deliver_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(deliver, range(8)))
    assert sum(sent) == 30
    assert sorted(server.recipients) == sorted(f"user{number}@example.com" for number in range(30))


@pytest.mark.django_db(transaction=True)
def test_a_mail_that_somebody_is_sending_is_left_alone(server: MailServer) -> None:
    """Even if that takes longer than the pause until the next try."""
    deployment = DeploymentFactory.create()
    row = write(deployment)
    server.takes_after = 1
    sending = threading.Thread(target=_deliver_elsewhere)
    sending.start()
    while not Mail.objects.filter(tries=1).exists():
        time.sleep(0.01)
    time.sleep(0.2)
    assert outbox._deliver(Mail(pk=row.pk, tries=1), get_connection()) is False
    outbox.give_up_overdue()
    sending.join()
    assert len(server.messages) == 1
    assert state_of(row) == "sent"


def _deliver_elsewhere() -> None:
    try:
        outbox.deliver_due()
    finally:
        connection.close()
