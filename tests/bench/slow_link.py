"""A server whose answers share one link: `python -m tests.bench.slow_link FOLDER BYTES_PER_SECOND SECONDS_AWAY`.

Prints its port. The rate holds for all connections together, as on a wire; each request waits before its answer.
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PIECE = 1 << 16


class Link:
    """Gives each piece its time on the wire."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free = time.monotonic()

    def pass_through(self, count: int) -> None:
        with self._lock:
            self._free = max(self._free, time.monotonic()) + count / self._rate
            until = self._free
        wait = until - time.monotonic()
        if wait > 0.002:
            time.sleep(wait)


def main() -> None:
    folder, link, away = Path(sys.argv[1]), Link(float(sys.argv[2])), float(sys.argv[3])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            time.sleep(away)
            content = (folder / Path(self.path).name).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for start in range(0, len(content) if self.command == "GET" else 0, PIECE):
                link.pass_through(min(PIECE, len(content) - start))
                self.wfile.write(memoryview(content)[start : start + PIECE])

        do_GET = do_HEAD = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
