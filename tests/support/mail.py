"""A mail server in the test process that speaks SMTP (RFC 5321), and misbehaves as it is told."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any, cast

from tests.support.server import free_port


class MailServer(socketserver.ThreadingTCPServer):
    """Listens at ``port`` of 127.0.0.1; ``messages`` are those that it has taken."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.port = port
        self.connections = 0
        self.messages: list[EmailMessage] = []
        self.greets_after = 0.0
        """Seconds until it says its first word."""
        self.takes_after = 0.0
        """Seconds that it thinks about each message."""
        self.refusals: dict[str, str] = {}
        """Its replies to some recipients, such as ``550 No such user``."""
        self.hangs_up_at = ""
        """The command at which it closes the connection without a word."""
        self.on_message: Callable[[], None] = lambda: None
        """Called when a message is there, before the client is told so."""

    @property
    def recipients(self) -> list[str]:
        return [str(message["To"]) for message in self.messages]


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast(MailServer, self.server)
        server.connections += 1
        time.sleep(server.greets_after)
        self._say("220 mail.example.com")
        while line := self.rfile.readline():
            command, _, argument = line.decode().strip().partition(" ")
            command = command.upper()
            if command == server.hangs_up_at:
                return
            if command == "DATA":
                self._take_message(server)
            elif command == "RCPT":
                recipient = argument.partition("<")[2].partition(">")[0]
                self._say(server.refusals.get(recipient, "250 OK"))
            elif command == "QUIT":
                self._say("221 Bye")
                return
            else:
                self._say("250 OK")

    def _take_message(self, server: MailServer) -> None:
        self._say("354 Go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        time.sleep(server.takes_after)
        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        server.messages.append(message)
        server.on_message()
        self._say("250 Taken")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server(settings: Any = None) -> Iterator[MailServer]:
    """A server that listens; ``settings``, if given, lead to it."""
    with MailServer(free_port()) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        if settings is not None:
            lead_to(settings, server.port)
        yield server
        server.shutdown()


def lead_to(settings: Any, port: int) -> None:
    """Have Django send mail to ``port`` of 127.0.0.1."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", port, False
