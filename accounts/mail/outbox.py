"""Mail: what a change says by mail is written to the outbox in the change's own transaction, and sent after it.

Whoever sends takes one mail at a time. A try is counted before it is made, so that a mail with which the process is
killed comes up again, but later; the row is locked while it is sent, so that nobody else sends it meanwhile. What was
sent by a process that was killed before it could note so is sent once more, with the same Message-ID.
"""

from __future__ import annotations

import json
import logging
import random
import smtplib
import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from email.utils import formataddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, transaction
from django.db.models import Case, F, Value, When
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.encoding import punycode

from accounts.models import Deployment, Mail, MailText
from accounts.values import encryption
from accounts.values.mail_texts import Template, Text

GOOD_FOR = timedelta(days=3)
"""For so long a mail is tried again."""
LONGEST_PAUSE = timedelta(hours=1)
"""Between two tries. The first is of ten seconds, each further one three times as long."""
PAUSES = 1.0, 3.0
"""The shortest and the longest pause before a mail of ``send_if``, in seconds."""
SENT_AT_ONCE = 500
"""Mails over one connection."""

logger = logging.getLogger("rollcall")
due = threading.Event()
"""Set whenever this process has written a mail, after the commit."""


class NotDeliverableError(Exception):
    """The mail can never be sent to its address."""


def send(
    deployment: Deployment, *, to: str, template: Template, values: Mapping[str, str], good_for: timedelta = GOOD_FOR
) -> Mail:
    """Write a mail to ``to`` into the outbox; it is sent once the caller's transaction is committed, and not before.

    ``values`` are those of the template's own placeholders, encrypted until the mail is sent or ``good_for`` is over.
    """
    mail = _write(deployment, to=to, template=template, values=values, good_for=good_for)
    transaction.on_commit(due.set)
    return mail


def send_if(
    is_meant: bool,
    deployment: Deployment,
    *,
    to: str,
    template: Template,
    values: Mapping[str, str],
    good_for: timedelta = GOOD_FOR,
) -> None:
    """As ``send``, but only if the mail ``is_meant``; if not, do the same work. Call it in a transaction.

    For mails about which a stranger must not learn whether anybody gets them. They wait for a random moment of the next
    seconds: sending takes time of the process, which would show in what is answered just then.
    """
    pause = timedelta(seconds=random.uniform(*PAUSES))  # noqa: S311 - it spreads load and guards nothing
    with transaction.atomic():
        _write(deployment, to=to, template=template, values=values, good_for=good_for, pause=pause)
        if not is_meant:
            transaction.set_rollback(True)
    transaction.on_commit(lambda: _wake_after(pause))


def _write(
    deployment: Deployment,
    *,
    to: str,
    template: Template,
    values: Mapping[str, str],
    good_for: timedelta,
    pause: timedelta = timedelta(0),
) -> Mail:
    if set(values) != template.own_values:
        raise ValueError(f"{template} takes the values {sorted(template.own_values)}, not {sorted(values)}")
    now = timezone.now()
    return Mail.objects.create(
        deployment=deployment,
        to=to,
        template=template,
        content=encryption.encrypt(json.dumps(dict(values)).encode()),
        good_until=now + good_for,
        next_try_at=now + pause,
    )


def _wake_after(pause: timedelta) -> None:
    timer = threading.Timer(pause.total_seconds(), due.set)
    timer.daemon = True
    timer.start()


def deliver_due() -> int:
    """Send what is due, and give up what is good no longer; gives the number of mails sent.

    It ends early if the mail server cannot be reached: the others would fare no better.
    """
    give_up_overdue()
    sent = 0
    connection: BaseEmailBackend = get_connection()
    try:
        for _ in range(SENT_AT_ONCE):
            claimed = _claim()
            if claimed is None:
                break
            try:
                sent += _deliver(claimed, connection)
            except OSError:
                break
    finally:
        _close(connection)
    return sent


@transaction.atomic
def give_up_overdue() -> None:
    """Delete the content of all mails that are good no longer, those that could not be sent by then included."""
    overdue = Mail.objects.select_for_update(skip_locked=True).filter(
        good_until__lte=timezone.now(), content__isnull=False
    )
    ids = list(overdue.values_list("pk", flat=True)[:10_000])
    if ids:
        state = Case(When(state=Mail.State.SENT, then=Value(Mail.State.SENT)), default=Value(Mail.State.EXPIRED))
        Mail.objects.filter(pk__in=ids).update(state=state, content=None)


def send_again(mails: Iterable[Mail]) -> None:
    """Have ``mails``, which are waiting or were refused, be tried at once."""
    Mail.objects.filter(pk__in=[mail.pk for mail in mails], content__isnull=False).exclude(
        state=Mail.State.SENT
    ).update(state=Mail.State.WAITING, next_try_at=timezone.now())
    transaction.on_commit(due.set)


def sweep(*, before: Any) -> int:
    """Delete the mails written before ``before`` that nobody waits for; gives their number."""
    return Mail.objects.filter(created_at__lt=before, content__isnull=True).delete()[0]


@transaction.atomic
def _claim() -> Mail | None:
    """The mail that has been due for longest, its try counted and the next one planned; None if none is."""
    waiting = Mail.objects.select_for_update(skip_locked=True).filter(
        state=Mail.State.WAITING, next_try_at__lte=timezone.now()
    )
    mail = waiting.order_by("next_try_at", "pk").first()
    if mail is not None:
        pause = min(timedelta(seconds=10) * 3 ** min(mail.tries, 10), LONGEST_PAUSE)
        mail.tries += 1
        Mail.objects.filter(pk=mail.pk).update(tries=F("tries") + 1, next_try_at=timezone.now() + pause)
    return mail


def _deliver(claimed: Mail, connection: BaseEmailBackend) -> bool:
    """Whether the mail is sent now; raises ``OSError`` if the mail server cannot be reached."""
    failure: OSError | None = None
    with transaction.atomic():
        # Others that look for what is due may lock the row for a moment, so wait.
        mail = (
            Mail.objects.select_for_update(of=("self",))
            .select_related("deployment")
            .filter(pk=claimed.pk, tries=claimed.tries, state=Mail.State.WAITING)
            .first()
        )
        if mail is None:  # somebody was quicker
            return False
        try:
            message = message_of(mail, connection)
            connection.open()  # and keep it open for the next mail
            message.send()
        except DatabaseError:  # no fault of the mail's
            raise
        except Exception as error:
            mail.state = Mail.State.REFUSED if _is_final(error) else Mail.State.WAITING
            mail.last_error = _in_words(error)
            if isinstance(error, OSError) and not isinstance(error, _OF_ONE_MAIL):
                failure = error
            _log(mail, error)
        else:
            mail.state, mail.sent_at, mail.last_error = Mail.State.SENT, timezone.now(), ""
            if not settings.DEMO:  # the playground shows them until they are good no longer
                mail.content = None
        mail.save(update_fields=["state", "sent_at", "last_error", "content"])
    if failure is not None:
        raise failure
    return mail.state == Mail.State.SENT


_OF_ONE_MAIL = (smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)
"""Failures of one mail. After any other, no mail can be sent over the connection."""


def _is_final(error: Exception) -> bool:
    """Whether the mail server will never take the mail for this recipient (RFC 5321, 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, NotDeliverableError)


def _in_words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        (refusal, *_) = error.recipients.values()
        text = f"{refusal[0]} {refusal[1].decode(errors='replace')}"
    elif isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.replace("\0", "").split())[: Mail._meta.get_field("last_error").max_length]


def _log(mail: Mail, error: Exception) -> None:
    """The log names no recipient: the admin does."""
    if mail.state == Mail.State.REFUSED:
        logger.warning("Mail %s was refused for good: %s", mail.pk, mail.last_error)
    else:
        unforeseen = None if isinstance(error, OSError) else error
        logger.warning(
            "Mail %s could not be sent at try %s: %s", mail.pk, mail.tries, mail.last_error, exc_info=unforeseen
        )


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except OSError as error:  # all that was to be sent is
        logger.info("The connection to the mail server broke while it was closed: %s", error)


def rendered(mail: Mail) -> tuple[Text, dict[str, str]]:
    """The text of ``mail``, the deployment's own or the default, and the values to fill in."""
    template = Template(mail.template)
    own = MailText.objects.filter(deployment=mail.deployment_id, template=template).first()
    text = template.default if own is None else Text(own.subject, own.text)
    return text, json.loads(encryption.decrypt(mail.content or b"")) | {"app_name": mail.deployment.name}


def message_of(mail: Mail, connection: BaseEmailBackend | None = None) -> EmailMultiAlternatives:
    """``mail`` as a message of Django's, in plain text and HTML."""
    text, values = rendered(mail)
    subject = text.subject_with(values)
    sender = sender_of(mail.deployment)
    name = mail.deployment.mail_sender_name or mail.deployment.name
    message = EmailMultiAlternatives(
        subject,
        text.text_with(values),
        from_email=formataddr((" ".join(name.split()), sender)),
        to=[_in_ascii(mail.to)],
        connection=connection,
        headers={
            "Message-ID": f"<mail-{mail.pk}-{mail.created_at.timestamp():.6f}@{sender.rpartition('@')[2]}>",
            "Auto-Submitted": "auto-generated",  # RFC 3834, 5: nobody is to answer by a machine
        },
    )
    html = render_to_string(
        "mail.html",
        {"subject": subject, "app_name": values["app_name"], "paragraphs": text.paragraphs_with(values)},
    )
    message.attach_alternative(html, "text/html")
    return message


def sender_of(deployment: Deployment) -> str:
    """The address that mails of ``deployment`` come from."""
    own = deployment.mail_sender or settings.MAIL_SENDER
    if own:
        return _in_ascii(own)
    is_address = ":" in deployment.host or deployment.host.rpartition(".")[2].isdigit()
    return f"no-reply@{'localhost' if is_address else deployment.host}"


def _in_ascii(address: str) -> str:
    """``address`` as mail servers take it; raises ``NotDeliverableError`` if it has no such form."""
    local, _, domain = address.rpartition("@")
    try:
        written = f"{local}@{punycode(domain)}"
    except UnicodeError as error:
        raise NotDeliverableError("The part of the address after the @ is no domain.") from error
    if not written.isascii():
        raise NotDeliverableError("The part of the address before the @ has characters that mail servers do not take.")
    return written
