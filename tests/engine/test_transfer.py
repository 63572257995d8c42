"""Progress, digest and refusals out of what an engine prints while it pulls or pushes."""

from __future__ import annotations

import msgspec
import pytest

from agent.engine.failures import registry_refusal
from agent.engine.transfer import follow_transfer
from agent.engine.wire import ErrorDetail, Event, ProgressDetail
from agent.errors import RegistryError, StorageError


def moving(layer: str, current: int, total: int | None, status: str = "Downloading") -> Event:
    return Event(id=layer, status=status, progress=ProgressDetail(current=current, total=total))


def follow(*events: Event) -> tuple[str, list[tuple[int, int]]]:
    seen: list[tuple[int, int]] = []
    digest = follow_transfer(events, "pull", "r.io/app:1", lambda done, total: seen.append((done, total)))
    return digest, seen


def test_bytes_are_summed_over_layers() -> None:
    _, seen = follow(
        Event(id="a", status="Pulling fs layer"),
        moving("a", 10, 100),
        moving("b", 5, 50),
        moving("a", 90, 100),
        Event(id="a", status="Download complete"),
        moving("a", 3, 100, "Extracting"),
        Event(id="a", status="Pull complete"),
        Event(id="b", status="Pull complete"),
    )
    assert seen == [(10, 100), (15, 150), (95, 150), (105, 150), (150, 150)]


def test_progress_never_goes_back_nor_beyond_the_whole() -> None:
    _, seen = follow(
        moving("a", 50, 100, "Pushing"), moving("a", 20, 100, "Pushing"), moving("a", 200, 100, "Pushing")
    )
    assert seen == [(50, 100), (100, 100)]


def test_layers_that_are_there_already_count_for_nothing() -> None:
    assert follow(Event(id="a", status="Layer already exists"), moving("b", 1, None), Event(status="x"))[1] == []


def test_digest_comes_from_aux_or_from_the_last_line() -> None:
    digest = f"sha256:{'ab' * 32}"
    aux = b'{"Tag": "1", "Digest": "%s", "Size": 5}' % digest.encode()
    assert follow(Event(aux=msgspec.Raw(aux)))[0] == digest
    assert follow(Event(status=f"1: digest: {digest} size: 528"))[0] == digest
    assert follow(Event(status=f"Digest: {digest}"))[0] == digest
    assert follow(Event(status="Digest: none"))[0] == ""


def test_error_in_the_stream_ends_it() -> None:
    with pytest.raises(RegistryError, match=r"cannot pull r\.io/app:1: .*see name and tag \(manifest unknown\)"):
        follow(Event(error="manifest unknown", error_detail=ErrorDetail(message="manifest unknown")))


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ('Get "https://r/v2/": http: server gave HTTP response to HTTPS client', "insecure-registries"),
        ('Get "https://r/v2/": x509: certificate signed by unknown authority', "does not trust"),
        ("unauthorized: authentication required", "other credentials"),
        ("no basic auth credentials", "other credentials"),
        ("denied: requested access to the resource is denied", "may not use it"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", "does not exist, or"),
        ("manifest for r/app:1 not found: manifest unknown: manifest unknown", "see name and tag"),
        ("An image does not exist locally with the tag: r/app", "build or pull it first"),
        ("dial tcp 127.0.0.1:9: connect: connection refused", "is it running"),
        ("dial tcp: lookup r on 1.1.1.1:53: no such host", "the DNS"),
        ("toomanyrequests: You have reached your pull rate limit", "limit is reached"),
        ("net/http: request canceled while waiting for connection (Client.Timeout exceeded)", "in time"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "not made for this engine"),
        ("something new", "something new"),
    ],
)
def test_refusals_say_what_to_do(text: str, advice: str) -> None:
    error = registry_refusal("push", "r.io/app:1", text)
    assert isinstance(error, RegistryError)
    assert advice in str(error)
    assert text in str(error)


def test_full_disk_is_told_apart() -> None:
    error = registry_refusal("pull", "r.io/app:1", "failed to register layer: no space left on device")
    assert isinstance(error, StorageError)
