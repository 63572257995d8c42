"""What a listener costs, and how soon it tells: `python -m tests.bench.bench_listener`.

Uploads are measured beside `curl` to a plain nginx on the same disk, in turns.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.report.events import Message
from agent.service.client import AgentClient
from agent.signing import SIGNATURE, sign
from tests.service.conftest import VARIABLES, Agent

SIZE = 60_000_000
ROUNDS = 5
NGINX = """\
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; client_max_body_size 1g;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; location / {{ dav_methods PUT; }} }}
}}
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        agent = Agent(Path(folder) / "agent")
        agent.start()
        try:
            print(f"listener after 1,000 requests: {_memory(agent):.1f} MB (at most 40 MB)", flush=True)
            _uploads(agent, Path(folder))
            _unchanged_push(agent, Path(folder))
            _first_line(agent)
        finally:
            agent.close()


def _memory(agent: Agent) -> float:
    client = agent.client()
    for _ in range(1000):
        client.capabilities()
    lines = Path(f"/proc/{agent.process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def _uploads(agent: Agent, folder: Path) -> None:
    ours, theirs = [], []
    file = folder / "data.bin"
    with _nginx(folder / "nginx") as url:
        for number in range(ROUNDS):
            file.write_bytes(os.urandom(SIZE))
            sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
            began = time.perf_counter()
            subprocess.run(["curl", "-sfT", str(file), f"{url}/{number}"], check=True, stdout=subprocess.DEVNULL)
            theirs.append(time.perf_counter() - began)
            began = time.perf_counter()
            agent.client().upload(file, sha256)
            ours.append(time.perf_counter() - began)
            (agent.home / "service" / "blobs" / sha256).unlink()
    agent.client().upload(file, sha256)
    with _counted(agent.port) as (port, count):
        client = AgentClient(f"https://127.0.0.1:{port}", agent.thumbprint, agent.own)
        client.upload(file, sha256)
        client.close()
    mine, plain = statistics.median(ours), statistics.median(theirs)
    print(
        f"60 MB uploaded in {mine:.2f} s over TLS, hashed and verified; curl to nginx {plain:.2f} s: "
        f"{plain / mine:.2f} of its speed (at least 0.33)"
    )
    print(f"the same 60 MB again: {count[0]:,} bytes sent (at most 20,000)", flush=True)


def _unchanged_push(agent: Agent, folder: Path) -> None:
    """All that `dockwright push` sends, TLS and waiting for the log included, where the agent has everything."""
    agent.bundle("report.info('deployed')", "pushed")
    bundle = folder / "agent" / "pushed"
    (bundle / "packages").mkdir()
    (bundle / "packages" / "App.1.0.0.zip").write_bytes(os.urandom(SIZE))
    (bundle / SIGNATURE).write_bytes(sign(bundle, "pushed", agent.key))
    (folder / "variables.json").write_text(json.dumps(VARIABLES), encoding="utf-8")
    shutil.copytree(agent.own.certificate.parent, folder / "pusher" / "service")
    sent: list[int] = []
    for number in range(2):
        with _counted(agent.port) as (port, count):
            words = [sys.executable, "-m", "agent.cli", "push", str(bundle), "--id", f"Pushed-{number}"]
            words += ["--agent", f"https://127.0.0.1:{port}", "--agent-thumbprint", agent.thumbprint]
            words += ["--variables", str(folder / "variables.json"), "--home", str(folder / "pusher")]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        sent += count
    print(f"a push of a 60 MB bundle sent {sent[0]:,} bytes; unchanged, {sent[1]:,} (at most 20,000)", flush=True)


def _first_line(agent: Agent) -> None:
    delays = []
    blobs = agent.bundle("import time\ntime.sleep(1)\nreport.info(repr(time.time()))\ntime.sleep(0.3)")
    for number in range(ROUNDS):
        client = agent.client()
        client.deploy(f"D-{number}", agent.request(client, blobs, id=f"D-{number}"))
        events = ((event, time.time()) for event in client.follow(f"D-{number}"))
        told = [(event.text, at) for event, at in events if isinstance(event, Message)]
        delays += [at - float(text) for text, at in told if text.replace(".", "").isdigit()]
    print(f"a line is here {statistics.median(delays) * 1000:.0f} ms after it was printed (at most 200 ms)")


@contextmanager
def _nginx(folder: Path) -> Iterator[str]:
    (folder / "files").mkdir(parents=True)
    folder.parent.chmod(0o755)  # its worker is another user
    for path in (folder, folder / "files"):
        path.chmod(0o777)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    server = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.PIPE)
    try:
        time.sleep(1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def _counted(target: int) -> Iterator[tuple[int, list[int]]]:
    """A port that leads to `target` and counts what is sent there."""
    count = [0]
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def carry() -> None:
            client, _ = listening.accept()
            with client, socket.create_connection(("127.0.0.1", target)) as server:
                back = threading.Thread(target=_copy, args=(server, client, [0]), daemon=True)
                back.start()
                _copy(client, server, count)

        threading.Thread(target=carry, daemon=True).start()
        yield listening.getsockname()[1], count


def _copy(source: socket.socket, target: socket.socket, count: list[int]) -> None:
    try:
        while data := source.recv(1 << 16):
            count[0] += len(data)
            target.sendall(data)
    except OSError:
        return


if __name__ == "__main__":
    main()
