"""How fast a build log is masked: `python -m tests.bench.bench_masking`.

100 MB of a log as docker, npm, dotnet and pip print it; 200 secrets in every spelling; one line in a hundred
holds a secret. Times are the processor's, so that other work on the machine does not count.
"""

from __future__ import annotations

import base64
import json
import random
import string
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

from agent.report import Masker

_SIZE = 100_000_000
_CHUNK = 65_536


def main() -> None:
    chance = random.Random(7)
    secrets = [_secret(chance) for _ in range(200)]
    log = "".join(_lines(chance, secrets, _SIZE // 10))
    began = time.process_time()
    masker = Masker((f"Secret{index}", secret) for index, secret in enumerate(secrets))
    masker.mask("")
    print(f"learning 200 secrets: {time.process_time() - began:.2f} s")
    print(f"masking a whole log: {_speed(masker, log, _whole):.0f} MB/s (at least 20 MB/s)")
    print(f"masking a stream: {_speed(masker, log, _stream):.0f} MB/s (at least 20 MB/s)")
    print(f"masking line by line: {_speed(masker, log, _by_line):.0f} MB/s")


def _speed(masker: Masker, log: str, run: Callable[[Masker, str], None]) -> float:
    """Characters, in millions, per second; the log is ASCII. Ten times a tenth of the size, to spare memory."""
    began = time.process_time()
    for _ in range(_SIZE // len(log)):
        run(masker, log)
    return _SIZE // len(log) * len(log) / 1e6 / (time.process_time() - began)


def _whole(masker: Masker, log: str) -> None:
    masker.mask(log)


def _stream(masker: Masker, log: str) -> None:
    stream = masker.stream()
    for start in range(0, len(log), _CHUNK):
        stream.feed(log[start : start + _CHUNK])
    stream.flush()


def _by_line(masker: Masker, log: str) -> None:
    stream = masker.stream()
    for line in log.splitlines(keepends=True):
        stream.feed(line)
    stream.flush()


def _secret(chance: random.Random) -> str:
    kind = chance.randrange(4)
    if kind == 0:
        return "".join(chance.choices(string.ascii_letters + string.digits, k=40))
    if kind == 1:
        password = "".join(chance.choices(string.ascii_letters + "&<>\"'%!$", k=12))
        return f"Server=tcp:db{chance.randrange(100)}.example.org,1433;User Id=app;Password={password};"
    if kind == 2:
        return "".join(chance.choices(string.ascii_letters + string.punctuation, k=chance.randint(8, 24)))
    body = base64.encodebytes(chance.randbytes(600)).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n"


def _lines(chance: random.Random, secrets: list[str], size: int) -> Iterator[str]:
    made = 0
    while made < size:
        line = _line(chance)
        if chance.random() < 0.01:
            line += " " + _spelled(chance, chance.choice(secrets))
        yield line + "\n"
        made += len(line) + 1


def _line(chance: random.Random) -> str:
    number = chance.randrange(1000)
    return chance.choice(
        (
            f"#{number % 30} {number / 7:.3f} Step {number % 20}/20 : RUN dotnet restore src/App{number}.csproj",
            f"  Restored /src/Services/Orders/Orders.Api{number}.csproj (in {number} ms).",
            f"Get:{number} http://deb.example.org/debian bookworm/main amd64 libssl3 amd64 3.0.{number}-1 [2,019 kB]",
            f"added {number} packages, and audited {number * 3} packages in {number % 60}s",
            f" ---> {chance.getrandbits(48):012x}",
            f"sha256:{chance.getrandbits(256):064x}: Pulling fs layer",
            f"warning CS0618: 'Client.Send(string)' is obsolete [/src/App/App.csproj] at line {number}",
            f'{{"level":"info","time":{number}1699,"msg":"listening","port":{number},"path":"/api/v1/orders"}}',
        )
    )


def _spelled(chance: random.Random, secret: str) -> str:
    return chance.choice(
        (
            secret,
            json.dumps(secret),
            quote(secret, safe=""),
            base64.b64encode(b"user:" + secret.encode()).decode(),
            secret.encode().hex(),
        )
    )


if __name__ == "__main__":
    main()
