"""The processes of ``manage.py serve``: a main one, and WORKERS that serve.

The main process holds a listening socket for each worker: the kernel spreads connections over them (of one socket, the
worker that wakes first takes most), and those that wait while a worker is replaced wait for the next one.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import uvloop
from django.conf import settings
from prometheus_client import multiprocess

from accounts import background
from server import at_once
from server.connection import Connection
from server.listening import BACKLOG, listen
from server.service import LoopService

GRACE = 30
"""Seconds that the last requests of a worker may take; as long as a statement may."""
_SIGNALS = {signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM, signal.SIGINT}


class Main:
    """The main process."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._listeners = [listen(settings.HOST, settings.PORT, is_shared=True) for _ in range(settings.WORKERS)]
        for listener in self._listeners:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._workers: dict[int, tuple[int, float]] = {}
        """By process id, the number of its listener and when it was started."""
        self._ending: set[int] = set()
        """Those whose place others have taken."""
        # Its other end is closed by the end of this process, however that comes about.
        self._lifeline, self._end_of_life = os.pipe()

    def run(self, said: str) -> None:
        """Serve until a signal ends it, and print ``said`` once it does."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        with suppress(ValueError, OSError):
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        at_once.prepare()
        gc.freeze()  # what the workers share is not copied for the collector's marks
        for number in range(len(self._listeners)):
            self._start(number)
        sys.stdout.write(said)
        sys.stdout.flush()
        _notify(b"READY=1")
        while True:
            number = signal.sigwait(_SIGNALS)
            if number == signal.SIGCHLD:
                self._replace_the_dead()
            elif number == signal.SIGHUP:
                self._reload()
            else:
                self._end(number)
                return

    def _start(self, number: int) -> None:
        """Start the worker of the listener ``number``."""
        pid = os.fork()
        if pid == 0:
            os.close(self._end_of_life)
            for other, listener in enumerate(self._listeners):
                if other != number:
                    listener.close()
            _work(self._application, self._listeners[number], self._lifeline)
        self._workers[pid] = number, time.monotonic()

    def _reload(self) -> None:
        """Have new workers take the place of the present ones, which end when they have answered what was asked."""
        _notify(b"RELOADING=1\nMONOTONIC_USEC=%d" % (time.monotonic_ns() // 1000))
        self._ending.update(self._workers)
        for number in range(len(self._listeners)):
            self._start(number)
        for pid in self._ending:
            os.kill(pid, signal.SIGTERM)
        _notify(b"READY=1")

    def _replace_the_dead(self) -> None:
        for pid in list(self._workers):
            if os.waitpid(pid, os.WNOHANG)[0]:
                multiprocess.mark_process_dead(pid)
                number, started_at = self._workers.pop(pid)
                if pid in self._ending:
                    self._ending.remove(pid)
                else:
                    time.sleep(max(0.0, 1 - (time.monotonic() - started_at)))  # if it dies again and again
                    self._start(number)

    def _end(self, number: int) -> None:
        """End the workers: by SIGTERM when they have answered what was asked, by SIGINT at once."""
        _notify(b"STOPPING=1")
        for listener in self._listeners:  # else connections would wait for nobody
            listener.close()
        for pid in self._workers:
            os.kill(pid, number)
        for pid in self._workers:
            os.waitpid(pid, 0)


def _notify(state: bytes) -> None:
    """Say so to systemd, if it is who started this (sd_notify)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, suppress(OSError):
            manager.sendto(state, f"\0{address[1:]}" if address.startswith("@") else address)


def _work(application: Any, listener: socket.socket, lifeline: int) -> NoReturn:
    """Be a worker: serve ``listener`` until SIGTERM, or the end of the main process."""
    try:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
        loop = uvloop.new_event_loop()
        loop.run_until_complete(_serve(loop, application, listener, lifeline))
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)  # what the main process has opened, it closes; threads that hang hold nobody up


async def _serve(loop: Any, application: Any, listener: socket.socket, lifeline: int) -> None:
    service = LoopService(loop, application, threads=settings.THREADS)
    connect = partial(Connection, service)
    server = await loop.create_server(connect, sock=listener, backlog=BACKLOG)
    is_to_stop = asyncio.Event()
    background.start()
    loop.add_reader(lifeline, is_to_stop.set)
    loop.add_signal_handler(signal.SIGTERM, is_to_stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    await is_to_stop.wait()
    loop.remove_reader(lifeline)
    connected: list[socket.socket] = []  # those that nobody else may be there to answer
    with suppress(OSError):
        while True:
            connected.append(listener.accept()[0])
    server.close()
    await asyncio.gather(*[loop.connect_accepted_socket(connect, each) for each in connected], return_exceptions=True)
    service.stop()  # now that it has them all
    loop.call_later(GRACE, os._exit, 0)
    await service.is_over
    await loop.run_in_executor(None, background.finish)
