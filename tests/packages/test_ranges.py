from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from univers.version_range import NugetVersionRange
from univers.versions import NugetVersion

from agent.errors import PackageError
from agent.packages.ranges import parse_range
from agent.packages.versions import parse_maven, parse_octopus, parse_semver
from tests.objections import objection

HAVE = ["0.9", "1.0.0", "1.2.0", "1.2.0-beta.1", "1.2.0-rc", "1.2.5", "1.3.0-alpha", "1.3.0", "2.0.0-beta", "2.0.0"]


@pytest.mark.parametrize(
    ("wanted", "best"),
    [
        ("1.2.0", "1.2.0"),
        ("1.2", "1.2.0"),
        ("[1.2.0]", "1.2.0"),
        ("1.2.0-RC", "1.2.0-rc"),
        ("1.1.0", None),
        ("[1.2,2.0)", "1.3.0"),
        ("[1.0,1.2.5)", "1.2.0"),
        ("(1.2.0,1.2.5]", "1.2.5"),
        ("(,1.0]", "1.0.0"),
        ("(,1.0)", "0.9"),
        ("[1.3,)", "2.0.0"),
        ("(2.0.0,)", None),
        ("[1.2.0-beta,1.2.0)", "1.2.0-rc"),
        ("[1.3,2.0-zzz]", "2.0.0-beta"),
        ("(,0.9],[1.0,1.1]", "1.0.0"),
        ("1.2.*", "1.2.5"),
        ("1.*", "1.3.0"),
        ("3.*", None),
        ("*", "2.0.0"),
        ("latest", "2.0.0"),
        ("", "2.0.0"),
        ("1.2.0-*", "1.2.0"),
        ("1.3.0-al*", "1.3.0"),
        ("1.2.*-*", "1.2.5"),
        ("*-*", "2.0.0"),
    ],
)
def test_the_best_match_is_the_highest_that_is_allowed(wanted: str, best: str | None) -> None:
    found = parse_range(wanted).best([parse_semver(text) for text in HAVE])
    assert (found.text if found else None) == best


def test_floating_prereleases_reach_neither_the_next_release_nor_another_label() -> None:
    have = [parse_semver(text) for text in ("1.2.0-beta.2", "1.2.0-rc.1", "1.3.0-alpha")]
    assert str(parse_range("1.2.0-beta*").best(have)) == "1.2.0-beta.2"
    assert str(parse_range("1.2.*-*").best(have)) == "1.2.0-rc.1"
    assert str(parse_range("*-*").best(have)) == "1.3.0-alpha"
    assert parse_range("*").best(have) is None


def test_of_equal_versions_the_one_that_was_spelled_out_is_taken() -> None:
    have = [parse_semver(text) for text in ("1.0.0+b", "1.0.0+a")]
    assert parse_range("1.0.0+a").best(have) is have[1]


@pytest.mark.parametrize(
    "text",
    [
        "[1.0",
        "1.0]",
        "[2.0,1.0]",
        "(1.0)",
        "(1.0,1.0]",
        "[1,2,3]",
        "[]",
        "[1.0],",
        "[1.0]x",
        "1.*.0",
        "**",
        "1*",
        "^1.0",
        ">=1",
        "[1.0," * 40,
    ],
)
def test_what_is_no_range_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(PackageError, match=r"version|range") as caught:
        parse_range(text)
    assert "\n" not in str(caught.value)


def test_maven_ranges_read_maven_versions() -> None:
    have = [parse_maven(text) for text in ("1.0", "1.1-SNAPSHOT", "1.1", "1.2-sp1", "2.0-rc1")]
    assert str(parse_range("[1.0,2.0)", "maven").best(have)) == "1.2-sp1"
    assert str(parse_range("1.1-SNAPSHOT", "maven").best(have)) == "1.1-SNAPSHOT"
    with pytest.raises(PackageError, match="Maven"):
        parse_range("1.*-*", "maven")


def test_octopus_ranges_float_too() -> None:
    have = [parse_octopus(text) for text in ("1.0.1", "1.0.2", "1.0.3-dev", "1.1.0")]
    assert str(parse_range("1.0.*", "octopus").best(have)) == "1.0.2"
    assert str(parse_range("1.0.*-*", "octopus").best(have)) == "1.0.3-dev"


VERSION = st.lists(st.integers(0, 4), min_size=3, max_size=3).map(lambda numbers: ".".join(map(str, numbers)))


@given(st.sampled_from("[("), VERSION, VERSION, st.sampled_from("])"), VERSION)
def test_intervals_hold_what_nuget_holds(opening: str, one: str, other: str, closing: str, candidate: str) -> None:
    low, high = sorted([one, other], key=parse_semver)
    if low == high:
        return
    text = f"{opening}{low},{high}{closing}"
    expected = NugetVersion(candidate) in NugetVersionRange.from_native(text)  # type: ignore[no-untyped-call]
    assert parse_range(text).allows(parse_semver(candidate)) == expected


@given(st.text(alphabet="0123456789.*-[](), ab", max_size=30))
def test_any_text_is_a_range_or_a_package_error(text: str) -> None:
    said = objection(lambda: parse_range(text))
    assert said == "" or text.strip() in said
    assert said or parse_range(text).allows(parse_semver("1.0.0")) in (True, False)
