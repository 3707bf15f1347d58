"""A DNS server of the tests' own, on loopback over UDP and TCP: no test asks the internet."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

LARGEST_DATAGRAM = 512


@dataclass
class DnsServer:
    """Answers for ``records`` and NXDOMAIN for all other names."""

    records: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By name, each a type and its text in a zone file's notation. A name may have none."""
    fails_with: dns.rcode.Rcode | None = None
    is_silent: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    """The name of each question, and over what it came."""
    address: tuple[str, int] = ("", 0)

    def txt(self, name: str, *texts: str) -> None:
        """Set the TXT records of ``name``."""
        self.records[name] = [("TXT", f'"{text}"') for text in texts]

    def answer(self, wire: bytes, over: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text(omit_final_dot=True)
        self.asked.append((name, over))
        if self.is_silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if self.fails_with is not None:
            response.set_rcode(self.fails_with)
        else:
            self._fill(response, name)
        reply = response.to_wire()
        if over == "udp" and len(reply) > LARGEST_DATAGRAM:
            response.answer.clear()
            response.flags |= dns.flags.TC
            reply = response.to_wire()
        return reply

    def _fill(self, response: dns.message.Message, name: str) -> None:
        """As a resolver does: the records of the name, and of those that its aliases lead to."""
        for _ in range(10):
            if name not in self.records:
                response.set_rcode(dns.rcode.NXDOMAIN)
                return
            aliases = [text for type_, text in self.records[name] if type_ == "CNAME"]
            for type_, text in self.records[name]:
                response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", type_, text))
            if not aliases:
                return
            name = aliases[0].removesuffix(".")


class _Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, socket = self.request
        reply = self.server.dns.answer(wire, "udp")  # type: ignore[attr-defined]  # dns_server sets it
        if reply is not None:
            socket.sendto(reply, self.client_address)


class _Stream(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        (length,) = struct.unpack("!H", self.rfile.read(2))
        reply = self.server.dns.answer(self.rfile.read(length), "tcp")  # type: ignore[attr-defined]  # dns_server sets it
        if reply is not None:
            self.wfile.write(struct.pack("!H", len(reply)) + reply)


@contextmanager
def dns_server(*, ends_within: float = 0.02) -> Iterator[DnsServer]:
    """``ends_within`` is in seconds; it wakes up as often to see whether it is to end."""
    server = DnsServer()
    with (
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Stream) as tcp,
        socketserver.ThreadingUDPServer(tcp.server_address, _Datagram) as udp,
    ):
        server.address = ("127.0.0.1", tcp.server_address[1])
        threads = []
        for one in (tcp, udp):
            one.daemon_threads = True
            one.dns = server  # type: ignore[union-attr]  # for the handlers
            threads.append(threading.Thread(target=one.serve_forever, kwargs={"poll_interval": ends_within}))
        for thread in threads:
            thread.start()
        try:
            yield server
        finally:
            for one in (tcp, udp):
                one.shutdown()
            for thread in threads:
                thread.join()


@pytest.fixture(scope="session")
def name_server() -> Iterator[DnsServer]:
    """Where the server of ``demo`` looks up domains; a module begins without records."""
    with dns_server(ends_within=1) as server:
        yield server
