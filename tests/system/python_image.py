"""A small image with Python in it, made from the interpreter that runs the tests: no registry is needed."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

from linux.sandbox.engine_call import EngineSocket

LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "__pycache__", "pydoc_data"}
LEFT_OUT |= {
    "site-packages",
    "dist-packages",
    "config-3.11-x86_64-linux-gnu",
    "sqlite3",
    "curses",
    "dbm",
    "distutils",
}
HEAVY = re.compile(r"_(ssl|hashlib|sqlite3|curses|codecs_|test|dbm|decimal|gdbm|tkinter)|readline|nis|.*\.a$")

APP = """\
import http.server, os, signal, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(3)
        body = os.environ.get("VERSION", "").encode()
        self.send_response(500 if os.environ.get("SICK") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if os.environ.get("EXITS"):
    sys.exit("cannot open the database")
time.sleep(float(os.environ.get("BOOT", "0")))
Server(("", 80), Handler).serve_forever()
"""
"""An application that boots for $BOOT seconds, answers with its $VERSION, and has a request that takes 3 seconds."""


def make_python_image(name: str, engine: EngineSocket) -> None:
    """`name` is repository:tag. `python3 /app.py` is its command."""
    repository, _, tag = name.rpartition(":")
    query = {"fromSrc": "-", "repo": repository, "tag": tag}
    query["changes"] = 'ENV PATH=/bin:/usr/bin\nCMD ["python3", "/app.py"]'
    status, answer = engine.call("POST", "/images/create", query=query, body=_root(), timeout=120)
    assert status == 200, answer
    assert engine.has_image(name), answer


def _root() -> bytes:
    interpreter = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(interpreter, "usr/bin/python3")
        for shared in _needed(interpreter, *library.rglob("lib-dynload/*.so")):
            tar.add(shared.resolve(), str(shared).lstrip("/"))
        tar.add(library, str(library).lstrip("/"), filter=_without_extras)
        _add(tar, "app.py", APP.encode(), 0o644)
        busybox = Path("/bin/busybox").resolve()
        if busybox.exists():
            tar.add(busybox, "bin/cat")
    return buffer.getvalue()


def _needed(*programs: Path) -> list[Path]:
    kept = [program for program in programs if not HEAVY.match(program.name)]
    listed = subprocess.run(["ldd", *kept], capture_output=True, text=True, check=True).stdout
    return [Path(path) for path in sorted(set(re.findall(r"(/\S+) \(0x", listed)))]


def _without_extras(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(member.name).parts
    return None if LEFT_OUT & set(parts) or HEAVY.match(parts[-1]) else member


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))
