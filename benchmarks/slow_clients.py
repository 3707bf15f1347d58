"""Clients that send half of something, or never read: what others notice of them, and when the server closes them."""

from __future__ import annotations

import itertools
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from benchmarks import load
from benchmarks.data import Data, Member
from benchmarks.endpoints import LIST
from benchmarks.probes import Asked, Question, asking
from benchmarks.report import Verdict
from benchmarks.servers import Server, running

EACH = 20
"""Slow clients of each kind while others ask one thing at a time."""
MANY = 200
"""Slow clients of all kinds while others are many."""
MAX_SECONDS = 1.0
"""After so many others must have their answers."""
MAX_P99 = 2.0
"""Times what it is without slow clients."""
HEALTHZ = "/healthz"
_SETTLE = 1.0
_IDLE = 0.1
"""Seconds of processor time in a second below which a server counts as idle."""
_RECEIVE_BUFFER = 4096
_PIPELINED = 3
"""Answers of nearly two megabytes that a client asks for and does not read: the kernel's buffers take three."""


class Kind(Enum):
    HALF_A_HEAD = "half-sent requests"
    HALF_A_BODY = "half-sent bodies"
    NEVER_READS = "clients that never read"


DEADLINES = {Kind.HALF_A_HEAD: 15.0, Kind.HALF_A_BODY: 15.0, Kind.NEVER_READS: 35.0}
"""Seconds after which the server must have closed the connection: some more than ``server/`` gives it."""


@dataclass
class SlowClient:
    kind: Kind
    connection: socket.socket
    opened_at: float = field(default_factory=time.monotonic)
    was_seen: bool = False
    """Whether the server has had the connection."""
    closed_after: float | None = None
    """Seconds."""

    @property
    def port(self) -> int:
        return int(self.connection.getsockname()[1])

    def look(self, servers_peers: set[int]) -> None:
        """Note whether the server has closed the connection. Who never reads can only ask the server's process."""
        self.was_seen |= self.port in servers_peers
        if self.kind is Kind.NEVER_READS:
            is_closed = self.was_seen and self.port not in servers_peers
        else:
            is_closed = _has_ended(self.connection)
        if is_closed:
            self.closed_after = time.monotonic() - self.opened_at


def _has_ended(connection: socket.socket) -> bool:
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _start(kind: Kind, port: int, member: Member) -> SlowClient:
    request = member.get(LIST).raw
    connection = socket.socket()
    if kind is Kind.NEVER_READS:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    if kind is Kind.HALF_A_HEAD:
        connection.sendall(request[: len(request) // 2])
    elif kind is Kind.HALF_A_BODY:
        head = f"POST /auth/signin HTTP/1.1\r\nHost: {member.host}\r\nAuthorization: Bearer {member.token}\r\n"
        connection.sendall(f'{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"strategy":'.encode())
    else:
        connection.sendall(request * _PIPELINED)
    connection.setblocking(False)
    return SlowClient(kind, connection)


@contextmanager
def slow_clients(number: int, server: Server, member: Member) -> Iterator[list[SlowClient]]:
    """``number`` of them, of all kinds in turn."""
    clients: list[SlowClient] = []
    try:
        clients.extend(_start(kind, server.port, member) for kind in itertools.islice(itertools.cycle(Kind), number))
        yield clients
    finally:
        for client in clients:
            client.connection.close()


def single_requests(server: Server, large: Member, member: Member) -> Iterator[Verdict]:
    """``EACH`` slow clients of each kind, until the server has closed them, or has missed its deadlines."""
    headers = {"Host": member.host, "Cookie": f"__session={member.token}"}
    # The slow ones come first, and the others all the time.
    with slow_clients(EACH * len(Kind), server, large) as clients:
        with asking(server.port, [Question(HEALTHZ, {}), Question(LIST, headers)], pause=0.1) as asked:
            until = time.monotonic() + max(DEADLINES.values()) + _SETTLE
            while time.monotonic() < until and any(client.closed_after is None for client in clients):
                peers = server.peer_ports()
                for client in clients:
                    if client.closed_after is None:
                        client.look(peers)
                time.sleep(0.2)
        for path in (HEALTHZ, LIST):
            yield _answered(path, [one for one in asked if one.path == path])
        for kind in Kind:
            yield _closed([client for client in clients if client.kind is kind], kind)


def _answered(path: str, asked: Sequence[Asked]) -> Verdict:
    slowest = max(one.took for one in asked)
    good = sum(one.status == 200 for one in asked)
    text = f"{path}: {good} of {len(asked)} answered, slowest {slowest:.3f} s (within {MAX_SECONDS} s)"
    return Verdict(good == len(asked) and slowest <= MAX_SECONDS, text)


def _closed(clients: Sequence[SlowClient], kind: Kind) -> Verdict:
    deadline = DEADLINES[kind]
    times = [client.closed_after for client in clients if client.closed_after is not None]
    when = f", after {min(times):.1f} to {max(times):.1f} s" if times else ""
    text = f"{kind.value}: {len(times)} of {len(clients)} closed{when} (within {deadline:g} s)"
    return Verdict(len(times) == len(clients) and max(times) <= deadline, text)


def p99_beside(
    server: Server, large: Member, members: Sequence[Member], *, rounds: int, seconds: float, connections: int
) -> Verdict:
    """The 99th percentile of the list's times for others, with ``MANY`` slow clients and without, in turn."""
    units = [(member.get(LIST),) for member in members]

    def p99() -> float:
        return load.run(server.port, units, connections=connections, seconds=seconds).percentile_ms(99)

    without, beside = [], []
    for _ in range(rounds):
        without.append(p99())
        with slow_clients(MANY, server, large):
            _until_idle(server)  # the answers that nobody reads are made first
            beside.append(p99())
        _until_idle(server)
    one, other = statistics.median(beside), statistics.median(without)
    text = f"p99 with {MANY} slow clients {one:.1f} ms, without {other:.1f} ms: {one / other:.2f} (below {MAX_P99})"
    return Verdict(one / other < MAX_P99, text)


def _until_idle(server: Server) -> None:
    for _ in range(10):
        before = server.cpu_seconds()
        time.sleep(1)
        if server.cpu_seconds() - before < _IDLE:
            return


def measure(data: Data, *, rounds: int, seconds: float, connections: int) -> Iterator[Verdict]:
    """On one warm server without a proxy."""
    large, members = data.members(1000)[0], data.members(10)
    with running("rollcall", env=data.env) as server:
        warming = [(member.get(LIST),) for member in (large, *members)]
        load.run(server.port, warming, connections=connections, number=5 * len(warming))
        yield from single_requests(server, large, members[0])
        try:
            yield p99_beside(server, large, members, rounds=rounds, seconds=seconds, connections=connections)
        except (OSError, load.UnexpectedAnswerError) as error:
            yield Verdict(False, f"with {MANY} slow clients: {error}")
