"""deploy/nginx.conf in a real nginx, before a service that records each request."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.environment import BASE_DIR
from tests.support.server import PATIENCE, free_port, wait_until

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(not (NGINX and OPENSSL), reason="nginx or openssl is not installed (apt-get install)")

GET = b"GET /me HTTP/1.1\r\nHost: accounts.example.com\r\n"
POST = b"POST /auth/signin HTTP/1.1\r\nHost: accounts.example.com\r\nContent-Length: 10\r\n\r\n"


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def service(listener: socket.socket) -> socket.socket:
    """The upstream of nginx."""
    listener.settimeout(10)
    return listener


@pytest.fixture(scope="module")
def port(listener: socket.socket) -> Iterator[int]:
    """At which nginx listens."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="rollcall-test-") as folder:
        Path(folder).chmod(0o755)  # nginx's workers have a user of their own
        make_key = [str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=accounts.example.com"]
        files = ["-keyout", f"{folder}/privkey.pem", "-out", f"{folder}/fullchain.pem"]
        subprocess.run([*make_key, *files], check=True, capture_output=True)
        server = (
            (BASE_DIR / "deploy" / "nginx.conf")
            .read_text()
            .replace("    listen [::]:443 ssl;\n", "")
            .replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
            .replace("/etc/ssl/rollcall", folder)
            .replace("127.0.0.1:8000", f"127.0.0.1:{listener.getsockname()[1]}")
        )
        config = Path(folder) / "nginx.conf"
        paths = "".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy"))
        config.write_text(
            f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
            f"http {{ access_log off; {paths}\n{server}}}"
        )
        process = subprocess.Popen([str(NGINX), "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: process.poll() is not None or _listens(port), "nginx listens")
            assert process.poll() is None
            yield port
        finally:
            process.terminate()
            process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def connect(port: int) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))


def test_a_body_that_comes_slowly_reaches_the_service_whole(service: socket.socket, port: int) -> None:
    with connect(port) as client:
        client.sendall(POST + b"12345")
        service.settimeout(0.5)
        with pytest.raises(TimeoutError):
            service.accept()
        client.sendall(b"67890")
        service.settimeout(10)
        taken, _ = service.accept()
        with taken:
            time.sleep(0.2)
            assert taken.recv(65536).endswith(b"1234567890")


@pytest.mark.parametrize("path", ["/me", "/admin/", "/admin/memberships/workspacemembership/import/"])
def test_the_service_gets_the_host_with_the_port_that_the_client_names(
    service: socket.socket, port: int, path: str
) -> None:
    """The origin of the service's own pages has that port, too."""
    with connect(port) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: accounts.example.com:8443\r\n\r\n".encode())
        taken, _ = service.accept()
        with taken:
            assert b"\r\nHost: accounts.example.com:8443\r\n" in taken.recv(65536)


@pytest.mark.parametrize(
    "path",
    ["/me/profile-picture", "/organizations", "/organizations/92/update", "/workspaces", "/workspaces/311/update"],
)
def test_a_picture_reaches_the_service(service: socket.socket, port: int, path: str) -> None:
    with connect(port) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: accounts.example.com\r\nContent-Length: 5242880\r\n\r\n"
        client.sendall(head.encode() + b"x" * 5_242_880)
        taken, _ = service.accept()
        with taken:
            assert taken.recv(65536).startswith(f"POST {path} ".encode())


@pytest.mark.parametrize("path", ["/organizations/92/roles", "/organizations/92/updates", "/auth/signin"])
def test_a_long_body_goes_nowhere_else(service: socket.socket, port: int, path: str) -> None:
    with connect(port) as client:
        head = f"POST {path} HTTP/1.1\r\nHost: accounts.example.com\r\nContent-Length: 5242880\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(4096).split()[1] == b"413"


def test_an_overlong_head_never_reaches_the_service(service: socket.socket, port: int) -> None:
    with connect(port) as client:
        client.sendall(GET + b"Cookie: a=" + b"x" * 40_000 + b"\r\n\r\n")
        assert client.recv(4096).split()[1] == b"400"
    service.settimeout(0.3)
    with pytest.raises(TimeoutError):
        service.accept()


def test_a_slow_reader_does_not_hold_the_service(service: socket.socket, port: int) -> None:
    answer = b"x" * 20_000_000  # more than the buffers of both sockets hold
    with connect(port) as client:
        client.sendall(GET + b"\r\n")
        taken, _ = service.accept()
        with taken:
            taken.recv(65536)
            taken.settimeout(10)
            taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
