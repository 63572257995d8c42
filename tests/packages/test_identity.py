from __future__ import annotations

import random
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import PackageError
from agent.packages.identity import (
    EXTENSIONS,
    check_id,
    file_name,
    known_extension,
    parse_file_name,
)


@pytest.mark.parametrize("extension", [".zip", ".nupkg", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"])
def test_prerelease_and_metadata_survive_every_extension(extension: str) -> None:
    named = parse_file_name(f"foo.1.0.0-tag-release.tag+buildmeta{extension}")
    assert named
    assert (named.id, named.version.text, named.extension) == ("foo", "1.0.0-tag-release.tag+buildmeta", extension)


@pytest.mark.parametrize(
    ("name", "id", "version"),
    [
        ("MyApp.Sdi.1.2.0.zip", "MyApp.Sdi", "1.2.0"),
        ("My-App_x.2.zip", "My-App_x", "2"),
        ("Foo2.1.0.0.zip", "Foo2", "1.0.0"),
        ("MyApp.2.App.1.0.zip", "MyApp.2.App", "1.0"),
        ("Foo.1.2.3.4.5.zip", "Foo.1", "2.3.4.5"),
        ("App.1.0.0-tag.TAR.GZ", "App", "1.0.0-tag"),
    ],
)
def test_the_id_is_the_shortest_that_leaves_a_version(name: str, id: str, version: str) -> None:  # noqa: A002
    named = parse_file_name(name)
    assert named
    assert (named.id, named.version.text) == (id, version)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".zip",
        "readme.txt",
        "App.zip",
        "App.1.0",
        ".1.0.zip",
        "A..1.0.zip",
        "a" * 500 + ".1.0.zip",
        "App.1.0/x.zip",
    ],
)
def test_other_names_are_none(name: str) -> None:
    assert parse_file_name(name) is None


@given(
    st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}([._-][A-Za-z][A-Za-z0-9]{0,4}){0,2}", fullmatch=True),
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(-[a-z]{1,3}(\.[0-9]{1,2})?)?(\+[a-z]{1,3})?", fullmatch=True),
    st.sampled_from(EXTENSIONS),
)
def test_names_are_written_as_they_are_read(id: str, version: str, extension: str) -> None:  # noqa: A002
    named = parse_file_name(file_name(id, version, extension))
    assert named
    assert (named.id, named.version.text, named.extension) == (id, version, extension)


def test_an_id_that_would_be_read_otherwise_is_not_written() -> None:
    with pytest.raises(PackageError, match=r"would be read as Foo 1\.2\.0"):
        file_name("Foo.1", "2.0", ".zip")


def test_the_longest_extension_counts_and_keeps_its_spelling() -> None:
    assert known_extension("A.1.0.Tar.Gz") == ".Tar.Gz"
    assert known_extension("A.1.0.gz") == ""


def test_5000_hostile_ids_are_refused() -> None:
    chooser = random.Random(6)
    good = string.ascii_letters + string.digits
    bad = [
        "..",
        "/",
        "\\",
        "\0",
        "%2e%2e",
        ":",
        " ",
        "\n",
        "\u202e",
        "\uff0e",
        "\u2024",
        "\u0430",
        "\u00e9",
        "@",
        "#",
        "*",
    ]
    for _ in range(5000):
        word = "".join(chooser.choices(good, k=chooser.randint(0, 30)))
        at = chooser.randint(0, len(word))
        hostile = chooser.choice(
            [
                word[:at] + chooser.choice(bad) + word[at:],
                word * 200 + "a" * 200,
                "." + word,
                "-" + word,
                word + ".",
                "",
            ]
        )
        with pytest.raises(PackageError) as caught:
            check_id(hostile)
        message = str(caught.value)
        assert message.isascii()
        assert "\n" not in message
        assert len(message) < 400


def test_look_alikes_of_a_good_id_are_refused() -> None:
    for letter in ("\uff21", "\u0410", "\u0391", "\U0001d400"):
        assert unicodedata.normalize("NFKC", letter).isprintable()
        with pytest.raises(PackageError):
            check_id(f"{letter}pp")
