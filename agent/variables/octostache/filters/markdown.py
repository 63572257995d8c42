"""`Markdown`: CommonMark with tables, links that are recognised by themselves, and more kinds of emphasis.

`~~deleted~~`, `~sub~`, `^sup^`, `++inserted++` and `==marked==`, as the renderer that Octostache uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.rules_inline.state_inline import Delimiter
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

LONGEST = 256 * 1024

_TAGS = {"~~": "del", "~": "sub", "^": "sup", "++": "ins", "==": "mark"}
_MARKERS = {-place - 1: markup for place, markup in enumerate(_TAGS)}
_LINK = re.compile(r"(?<![^\s*_~(])(?:https?://|ftp://|mailto:|www\.)[^\s<]+", re.IGNORECASE)
_TRAILING = re.compile(r"(?:[?!.,:*_~'\"]|&[A-Za-z0-9]+;)+\Z")


def to_html(value: str | None, options: tuple[str, ...]) -> str | None:
    """HTML with one more newline at its end (as Octostache); None for more than 256 K characters."""
    if value is None or options or len(value) > LONGEST:
        return None
    return str(_renderer().render(value.strip())) + "\n"


@cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark").enable("table")
    renderer.inline.ruler.push("extra_emphasis", _read_markers)
    renderer.inline.ruler2.after("balance_pairs", "extra_emphasis", _pair_markers)
    renderer.core.ruler.after("inline", "bare_links", _link_bare)
    renderer.add_render_rule("th_open", _aligned_cell)
    renderer.add_render_rule("td_open", _aligned_cell)
    return renderer


def _read_markers(state: StateInline, silent: bool) -> bool:
    """Put each run of markers into a token of its own; whether it opens or closes is decided later."""
    from markdown_it.rules_inline.state_inline import Delimiter

    if silent or state.src[state.pos] not in "~^+=":
        return False
    scanned = state.scanDelims(state.pos, canSplitWord=True)
    markup = state.src[state.pos : state.pos + scanned.length]
    if markup not in _TAGS:
        return False
    state.push("text", "", 0).content = markup
    code = next(code for code, each in _MARKERS.items() if each == markup)
    state.delimiters.append(
        Delimiter(
            marker=code,
            length=0,
            token=len(state.tokens) - 1,
            end=-1,
            open=scanned.can_open,
            close=scanned.can_close,
        )
    )
    state.pos += scanned.length
    return True


def _pair_markers(state: StateInline) -> None:
    for delimiters in _all_delimiters(state):
        for delimiter in delimiters:
            markup = _MARKERS.get(delimiter.marker)
            if markup is not None and delimiter.end >= 0:
                _to_tag(state.tokens[delimiter.token], _TAGS[markup], 1)
                _to_tag(state.tokens[delimiters[delimiter.end].token], _TAGS[markup], -1)


def _all_delimiters(state: StateInline) -> Iterator[list[Delimiter]]:
    yield state.delimiters
    for meta in state.tokens_meta:
        if meta and "delimiters" in meta:
            yield meta["delimiters"]


def _to_tag(token: Token, tag: str, nesting: int) -> None:
    token.type = f"{tag}_{'open' if nesting > 0 else 'close'}"
    token.tag = tag
    token.nesting = 1 if nesting > 0 else -1
    token.content = ""


def _link_bare(state: StateCore) -> None:
    """Turn addresses in running text into links."""
    for block in state.tokens:
        if block.type == "inline" and block.children:
            block.children = list(_linked(block.children))


def _linked(tokens: Sequence[Token]) -> Iterator[Token]:
    links = 0
    for token in tokens:
        links += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type == "text" and not links:
            yield from _split(token.content)
        else:
            yield token


def _split(text: str) -> Iterator[Token]:
    from markdown_it.token import Token

    position = 0
    for found in _LINK.finditer(text):
        address = _address(found[0])
        yield Token("text", "", 0, content=text[position : found.start()])
        target = f"http://{address}" if address.lower().startswith("www.") else address
        yield Token("link_open", "a", 1, attrs={"href": target})
        yield Token("text", "", 0, content=address.removeprefix("mailto:"))
        yield Token("link_close", "a", -1)
        position = found.start() + len(address)
    yield Token("text", "", 0, content=text[position:])


def _address(found: str) -> str:
    """Without the punctuation that ends a sentence, and without a parenthesis that was opened before."""
    address = _TRAILING.sub("", found)
    while address.endswith(")") and address.count(")") > address.count("("):
        address = address[:-1]
    return address


def _aligned_cell(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    style = tokens[place].attrGet("style")
    if style:
        tokens[place].attrSet("style", str(style).replace(":", ": ") + ";")
    return renderer.renderToken(tokens, place, options, env)
