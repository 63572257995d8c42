"""Image references against the distribution grammar and Docker's own parser."""

from __future__ import annotations

import random
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import InputError
from agent.registry.reference import ImageReference, tag_from
from linux.sandbox import Sandbox
from linux.sandbox.engine_call import EngineSocket

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "full", "selector"),
    [
        ("nginx", "docker.io/library/nginx", "latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27", "1.27"),
        ("octopus/tentacle", "docker.io/octopus/tentacle", "latest"),
        ("docker.io/nginx", "docker.io/library/nginx", "latest"),
        ("index.docker.io/a/b:x", "docker.io/a/b:x", "x"),
        ("localhost/app", "localhost/app", "latest"),
        ("localhost:5000/app", "localhost:5000/app", "latest"),
        ("MyRegistry:8080/spaces-1/mywebapp:1.2.0-deployments-75", None, "1.2.0-deployments-75"),
        ("[::1]:5000/app:1", None, "1"),
        (f"app@sha256:{HEX}", f"docker.io/library/app@sha256:{HEX}", f"sha256:{HEX}"),
        (f"r.io/app:1@sha256:{HEX}", None, f"sha256:{HEX}"),
        ("a.b:80", "docker.io/library/a.b:80", "80"),
        ("a/localhost/x", "docker.io/a/localhost/x", "latest"),
        ("a__b/c---d", "docker.io/a__b/c---d", "latest"),
    ],
)
def test_short_names_are_completed_as_docker_does(text: str, full: str | None, selector: str) -> None:
    parsed = ImageReference.parse(text)
    assert str(parsed) == (full or text)
    assert parsed.selector == selector
    assert ImageReference.parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-x", "--privileged", ":x", "x:", "x@", "/x", "x/", "a//b", "a b", "a\n", "a\x00", "aé", "a:b:c",
        "A/b", "LOCALHOST/x", "a.io/B", "a___b", "a.-b", "a-/b", "a.b-/c", "a.b./c", "x:a/b", "x:1.2+3", "x:.1",
        "a.b:80/c:d:e", "foo_bar.com/x", "[fe80::1%eth0]/x", "x@sha256:abc", f"x@sha256:{HEX.upper()}",
        "x@md5:01234567890123456789012345678901", f"x@sha256:{HEX}0", HEX, f"x:{'t' * 129}", "a" * 256, "a/" * 600,
        "a.io:port/x", "../x", "a/../b", "a/./b", "http://a.io/x", "a.io/x?y", "a.io/x#y", "user@a.io/x",
        "a.io:80:1/x",
    ],
)  # fmt: skip
def test_what_docker_refuses_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        ImageReference.parse(text)


def test_long_hostile_text_is_answered_at_once_and_in_short() -> None:
    for text in ("a-" * 50_000, "a." * 499 + "!", ("a" + "-" * 900) + "!", "[" + ":" * 900):
        with pytest.raises(InputError) as refused:
            ImageReference.parse(text)
        assert len(str(refused.value)) < 300


def test_upper_case_repository_is_explained() -> None:
    with pytest.raises(InputError, match="lower case"):
        ImageReference.parse("registry.io/MyWebApp:1")


def test_with_tag_replaces_tag_and_digest() -> None:
    pinned = ImageReference.parse(f"r.io/app:1@sha256:{HEX}")
    assert str(pinned.with_tag("2")) == "r.io/app:2"
    assert str(pinned.with_digest(f"sha256:{HEX}")) == f"r.io/app@sha256:{HEX}"


@pytest.mark.parametrize("tag", ["", "-x", ".x", "a b", "a/b", "a:b", "x" * 129, "a\n", "é"])
def test_with_tag_refuses_what_is_no_tag(tag: str) -> None:
    with pytest.raises(InputError):
        ImageReference.parse("r.io/app").with_tag(tag)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("1.2.0-deployments-75", "1.2.0-deployments-75"),
        ("1.2.0+build.7", "1.2.0_build.7"),
        ("-rc", "_rc"),
        (".5", "_5"),
        ("feature/x y", "feature_x_y"),
        ("Ünicode", "_nicode"),
    ],
)
def test_tag_from_stays_near_the_text(text: str, tag: str) -> None:
    assert tag_from(text) == tag


@given(st.text(min_size=1).filter(str.strip))
def test_tag_from_always_gives_a_tag(text: str) -> None:
    assert ImageReference.parse("r.io/app").with_tag(tag_from(text)).tag == tag_from(text)


def test_tag_from_nothing_is_refused() -> None:
    with pytest.raises(InputError):
        tag_from(" ")


@given(st.text(alphabet="aB0.-_:/@[]%\n é", max_size=30))
def test_whatever_is_accepted_reads_the_same_again(text: str) -> None:
    try:
        parsed = ImageReference.parse(text)
    except InputError:
        return
    assert ImageReference.parse(str(parsed)) == parsed
    assert not text.startswith("-")


def test_five_hundred_references_never_accepted_where_docker_refuses(sandbox: Sandbox) -> None:
    """The engine judges by its own parser: it is asked to give a small image that name."""
    engine = EngineSocket(sandbox.host.removeprefix("unix://"))
    ours_only, theirs_only, accepted = [], [], 0
    for text in random_references(500):
        ours, theirs = _accepted(text), _engine_accepts(engine, sandbox.base_image, text)
        accepted += ours
        ours_only += [text] if ours and not theirs else []
        theirs_only += [text] if theirs and not ours else []
    assert ours_only == []
    assert accepted >= 100
    assert all(_known_to_be_stricter(text) for text in theirs_only)


def random_references(count: int) -> Iterator[str]:
    """Half of them are put together from plausible parts, half are such with a character changed."""
    chance = random.Random(20)
    domains = ["", "", "a.io/", "localhost/", "h:5000/", "a-b.c:1/", "127.0.0.1:5000/", "A.io/", "a_b.io/", "-a.io/"]
    good = ["app", "a1", "a-b", "a_b", "a__b", "a.b", "a--b", "0"]
    components = [*good, *good, *good, "a___b", "a..b", "Ab", "a-", "_a", "a.-b", ""]
    tags = ["", "", "", ":1", ":1.2.0-deployments-75", ":V_1", f":{'t' * 128}", ":-1", ":", f":{'t' * 129}"]
    characters = "aZ0.-_:/@%+ ~\t"
    for number in range(count):
        path = "/".join(chance.choices(components, k=chance.choice([1, 1, 2, 3])))
        text = chance.choice(domains) + path + chance.choice(tags)
        if number % 2 and text:
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(characters) + text[at + chance.randrange(2) :]
        yield text


def _accepted(text: str) -> bool:
    try:
        ImageReference.parse(text)
    except InputError:
        return False
    return True


def _engine_accepts(engine: EngineSocket, image: str, text: str) -> bool:
    status, _ = engine.call("POST", f"/images/{image}/tag", query={"repo": text})
    if status == 201:
        engine.call("DELETE", f"/images/{quote(text, safe='/:')}", query={"noprune": "1"})
    return status == 201


def _known_to_be_stricter(text: str) -> bool:
    """`foo_bar.com/x` has a registry's dot but cannot be one; Docker looks it up on the Hub."""
    first = text.partition("/")[0]
    return "_" in first and "." in first
