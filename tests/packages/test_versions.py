from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from univers.versions import MavenVersion, NugetVersion

from agent.errors import PackageError
from agent.packages.versions import parse_maven, parse_octopus, parse_semver, parse_version

NUMBERS = st.lists(st.integers(0, 120), min_size=3, max_size=4).map(lambda numbers: ".".join(map(str, numbers)))
LABEL = st.one_of(st.integers(0, 120).map(str), st.from_regex(r"[a-zA-Z][0-9A-Za-z-]{0,5}", fullmatch=True))
LABELS = st.one_of(st.just(""), st.lists(LABEL, min_size=1, max_size=3).map(lambda labels: "-" + ".".join(labels)))
METADATA = st.one_of(st.just(""), st.from_regex(r"\+[0-9A-Za-z]{1,6}", fullmatch=True))
SEMVER = st.builds(lambda numbers, labels, metadata: numbers + labels + metadata, NUMBERS, LABELS, METADATA)

MAVEN = st.builds(
    lambda numbers, qualifier, digits: ".".join(map(str, numbers)) + qualifier + digits,
    st.lists(st.integers(0, 12), min_size=1, max_size=4),
    st.sampled_from(
        [
            "",
            "-alpha",
            "-beta",
            "-milestone",
            "-rc",
            "-cr",
            "-SNAPSHOT",
            "-sp",
            "-ga",
            "-final",
            "-release",
            "-foo",
            "-bar",
            "-",
        ]
    ),
    st.sampled_from(["", "-1", "-2", "-10", "1", "2"]),
).filter(lambda text: not text.endswith("-"))


@given(SEMVER, SEMVER)
def test_semver_orders_as_nuget(one: str, other: str) -> None:
    mine, theirs = (parse_semver(one), parse_semver(other)), (NugetVersion(one), NugetVersion(other))
    if _without_metadata(one) == _without_metadata(other):
        assert mine[0] == mine[1]
    else:
        assert (mine[0] < mine[1], mine[0] > mine[1]) == (theirs[0] < theirs[1], theirs[0] > theirs[1])


@given(MAVEN, MAVEN)
def test_maven_orders_as_maven(one: str, other: str) -> None:
    mine, theirs = (parse_maven(one), parse_maven(other)), (MavenVersion(one), MavenVersion(other))
    assert (mine[0] < mine[1], mine[0] == mine[1]) == (theirs[0] < theirs[1], theirs[0] == theirs[1])
    if mine[0] == mine[1]:
        assert hash(mine[0]) == hash(mine[1])


MAVEN_QUALIFIERS = (
    "1-alpha2snapshot 1-alpha2 1-alpha-123 1-beta-2 1-beta123 1-m2 1-m11 1-rc 1-cr2 1-rc123 1-SNAPSHOT 1 1-sp "
    "1-sp2 1-sp123 1-abc 1-def 1-pom-1 1-1-snapshot 1-1 1-2 1-123"
)
MAVEN_NUMBERS = (
    "2-1 2.0.2 2.0.123 2.1.0 2.1-a 2.1b 2.1-c 2.1-1 2.1.0.1 2.2 2.123 11.a2 11.a11 11.b2 11.b11 11.m2 11.m11 "
    "11 11.a 11b 11c 11m"
)


@pytest.mark.parametrize("listed", [MAVEN_QUALIFIERS, MAVEN_NUMBERS])
def test_maven_keeps_the_order_of_its_own_lists(listed: str) -> None:
    for lower, higher in itertools.combinations([parse_maven(text) for text in listed.split()], 2):
        assert lower < higher, f"{lower} {higher}"


@pytest.mark.parametrize("equal", ["1 1.0 1.0.0 1-ga 1.0-final 1.ga", "1-a1 1-alpha-1", "1x 1.0.0-x 1-x"])
def test_maven_takes_these_for_equal(equal: str) -> None:
    versions = [parse_maven(text) for text in equal.split()]
    assert len(set(versions)) == 1


def test_maven_knows_a_prerelease() -> None:
    assert [parse_maven(text).prerelease for text in ("1-SNAPSHOT", "1.0-rc1", "1-a1", "1.0", "1-sp1")] == [
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "numbers", "label"),
    [
        ("latest", (0, 0, 0, 0), "latest"),
        ("1.0myfeature", (1, 0, 0, 0), "myfeature"),
        ("19.0.0.Final", (19, 0, 0, 0), "final"),
        ("284.0.0-debian_component_based", (284, 0, 0, 0), "debian component based"),
        ("1.0.0-beta.", (1, 0, 0, 0), "beta "),
        ("1.1.2+.123", (1, 1, 2, 0), ""),
        ("V3", (3, 0, 0, 0), ""),
    ],
)
def test_octopus_reads_almost_anything(text: str, numbers: tuple[int, ...], label: str) -> None:
    version = parse_octopus(text)
    assert version.key[:4] == numbers
    assert version.prerelease == bool(label)
    if label:
        assert version == parse_octopus(f"{'.'.join(map(str, numbers))}-{label.replace(' ', '-')}")


def test_octopus_sorts_labels_by_their_parts() -> None:
    ordered = ["latest", "1.0.0-2", "1.0.0-10", "1.0.0-a", "1.0.0-a.1", "1.0.0-a.b", "1.0.0-B", "1.0.0", "1.0.0.1"]
    for lower, higher in itertools.pairwise(ordered):
        assert parse_octopus(lower) < parse_octopus(higher), f"{lower} {higher}"
    assert parse_octopus("1.0-a.b") == parse_octopus("1.0-a_b")


@pytest.mark.parametrize(
    "equal", [("1.0", "1.0.0.0"), ("1.0-BETA", "1.0.0-beta"), ("v1.2", "1.2+meta"), ("01.2", "1.2")]
)
def test_semver_takes_these_for_equal(equal: tuple[str, str]) -> None:
    assert parse_semver(equal[0]) == parse_semver(equal[1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1.",
        ".1",
        "1.2.3.4.5",
        "1.0-",
        "1.0-a..b",
        "1.0+",
        "a",
        "1.0/..",
        "1.0\0",
        "9" * 300,
        "4294967296",
        "\u0661.\u0662",
    ],
)
def test_what_is_no_version_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(PackageError, match="is not a version") as caught:
        parse_semver(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@given(st.text(max_size=80))
def test_any_text_is_a_version_or_a_package_error(text: str) -> None:
    for format_ in ("semver", "maven", "octopus"):
        try:
            version = parse_version(text, format_)
        except PackageError:
            continue
        assert version == parse_version(version.text, format_)


def test_versions_of_two_forms_are_not_compared() -> None:
    assert parse_semver("1.0") != parse_maven("1.0")
    with pytest.raises(TypeError):
        assert parse_semver("1.0") < parse_maven("1.1")


def _without_metadata(text: str) -> str:
    return text.partition("+")[0].lower()
