"""XPaths that could take hours are told from those that are only unusual."""

from __future__ import annotations

import pytest

from agent.transform.xml.document import parse
from agent.transform.xml.xpath import NotAnXPath, select
from agent.transform.xml.xpath_cost import is_too_costly


@pytest.mark.parametrize(
    "path",
    [
        "//add/following::add",
        "//add/preceding-sibling::add",
        "//add[count(//add) > 5]",
        "//a[not(@k = preceding::a/@k)]",
        "//a[b[count(//c[//d]) > 1]]",
        "/a/b[preceding::c/following::d]",
        "//a[ //b]",
    ],
)
def test_what_grows_with_the_square_is_refused_in_large_documents_only(path: str) -> None:
    assert is_too_costly(path, 200_000)
    assert not is_too_costly(path, 150)


@pytest.mark.parametrize(
    "path",
    [
        "//add[@key='x']/@value",
        "//*//*//add",
        "//a[.//b[c//d]]",
        "/a/b[last()]/c[2]",
        "//a[@href='//following::x[//y]']",
        "//a | //b | //c",
    ],
)
def test_ordinary_paths_pass_in_any_document(path: str) -> None:
    assert not is_too_costly(path, 2_000_000)


def test_a_costly_path_is_an_error_and_not_a_wait() -> None:
    document = parse(f"<r>{'<a/>' * 5_000}</r>")
    with pytest.raises(NotAnXPath, match="could take hours"):
        select(document.mirror, "//a/following::a/following::a", {})
