"""A few calls to the engine with nothing but the standard library."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode

from agent.errors import HostError
from linux.local import open_socket


@dataclass(frozen=True)
class EngineSocket:
    path: str

    def answers(self) -> bool:
        """False also where we may not ask; `refuses_us` tells those apart."""
        try:
            return self.call("GET", "/_ping", timeout=10)[0] == 200
        except HostError:
            return False

    def refuses_us(self) -> bool:
        try:
            open_socket(self.path, 5).close()
        except PermissionError:
            return True
        except OSError:
            return False
        return False

    def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: object = None,
        timeout: float = 60,
    ) -> tuple[int, bytes]:
        """(status, answer). `body` goes as it is if it is bytes, else as JSON."""
        connection = _Connection(self.path, timeout)
        target = f"{path}?{urlencode(query)}" if query else path
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        try:
            connection.request(method, target, content, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException) as error:
            raise HostError(f"unix://{self.path}: the engine does not answer ({error})") from error
        finally:
            connection.close()

    def has_image(self, name: str) -> bool:
        return self.call("GET", f"/images/{name}/json")[0] == 200

    def pull(self, repository: str, tag: str, *, timeout: float) -> bool:
        try:
            query = {"fromImage": repository, "tag": tag}
            self.call("POST", "/images/create", query=query, timeout=timeout)
        except HostError:
            return False
        return self.has_image(f"{repository}:{tag}")


class _Connection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._seconds = timeout

    def connect(self) -> None:
        self.sock = open_socket(self._path, self._seconds)
