"""HAProxy and nginx as ordinary processes on loopback, each with a folder of its own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.containers import Proxy
from tests.system.place import Way
from tests.system.prober import ask
from tests.system.shop import free_port

HAPROXY = """\
global
    stats socket {folder}/admin.sock level admin
    server-state-file {folder}/state
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend site
    bind 127.0.0.1:{port}
    default_backend shop
backend shop
    load-server-state-from-file global
    {servers}
"""
PLACES = "server-template s 1-{number} localhost:1 disabled"
NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/upstream.conf;
    server {{
        listen 127.0.0.1:{port};
        {server}
        location / {{ proxy_pass http://shop; {location} }}
    }}
}}
"""


@dataclass
class RunningProxy:
    """`settings` lead a slot through it; it answers at `port`."""

    folder: Path
    port: int
    command: list[str]
    settings: Proxy
    process: subprocess.Popen[bytes] | None = None

    @property
    def way(self) -> Way:
        return Way(self.settings, ["80"], self.port)

    def start(self) -> None:
        log = (self.folder / "output").open("ab")
        self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder)
        log.close()
        deadline = time.monotonic() + 10
        while ask(self.port).problem[:14] not in {"HTTP/1.1 503 S", "HTTP/1.1 502 B", ""}:
            assert time.monotonic() < deadline, (self.folder / "output").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


@contextmanager
def haproxy(
    folder: Path, tool: Callable[[str], str], places: str = PLACES.format(number=4)
) -> Iterator[RunningProxy]:
    port = free_port()
    configuration = folder / "haproxy.cfg"
    configuration.write_text(HAPROXY.format(folder=folder, port=port, servers=places), encoding="utf-8")
    (folder / "state").touch()
    settings = Proxy(haproxy=f"{folder}/admin.sock", backend="shop", state=f"{folder}/state", drain=10)
    yield from _running(folder, port, [tool("haproxy"), "-db", "-f", str(configuration)], settings)


@contextmanager
def nginx(folder: Path, tool: Callable[[str], str], server: str = "", location: str = "") -> Iterator[RunningProxy]:
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        NGINX.format(folder=folder, port=port, server=server, location=location), encoding="utf-8"
    )
    (folder / "upstream.conf").write_text("upstream shop { server 127.0.0.1:1 down; }\n", encoding="utf-8")
    folder.chmod(0o755)
    command = [tool("nginx"), "-c", str(configuration)]
    settings = Proxy(
        nginx=f"{folder}/upstream.conf",
        backend="shop",
        test=(*command, "-t"),
        reload=(*command, "-s", "reload"),
        url=f"http://127.0.0.1:{port}/",
        drain=10,
    )
    yield from _running(folder, port, command, settings)


def _running(folder: Path, port: int, command: list[str], settings: Proxy) -> Iterator[RunningProxy]:
    running = RunningProxy(folder, port, command, settings)
    running.start()
    try:
        yield running
    finally:
        running.stop()
