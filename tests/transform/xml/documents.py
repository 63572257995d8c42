"""Well-formed documents in every way of writing them, for hypothesis."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LETTERS = "abcdeé"
names = st.text(LETTERS, min_size=1, max_size=4)
_space = st.sampled_from([" ", "  ", "\n\t", "\r\n  "])
_gap = st.sampled_from(["", "", " ", "\n"])
_plain = st.text("ab é€\t\n😀'\";]=/", max_size=8)
_reference = st.sampled_from(["&lt;", "&gt;", "&amp;", "&quot;", "&apos;", "&#65;", "&#xe9;", "&#10;", ">"])
_text = st.lists(st.one_of(_plain, _reference), max_size=4).map("".join)
_comment = st.text("ab <>&'\"\n", max_size=8).map(lambda text: f"<!--{text}-->")
_cdata = st.text("ab <>&'\"\n", max_size=8).map(lambda text: f"<![CDATA[{text}]]>")
_instruction = st.tuples(names, st.text("ab <>&'\"", max_size=8)).map(lambda both: f"<?{both[0]} {both[1]}?>")


@st.composite
def _attributes(draw: st.DrawFn) -> str:
    written = []
    for name in draw(st.lists(names, max_size=3, unique=True)):
        quote = draw(st.sampled_from("\"'"))
        value = draw(_text).replace(quote, "")
        written.append(f"{draw(_space)}{name}{draw(_gap)}={draw(_gap)}{quote}{value}{quote}")
    return "".join(written)


@st.composite
def _element(draw: st.DrawFn, content: st.SearchStrategy[str]) -> str:
    name, attributes, gap = draw(names), draw(_attributes()), draw(_gap)
    inside = draw(st.one_of(st.none(), st.lists(content, max_size=4).map("".join)))
    if inside is None:
        return f"<{name}{attributes}{gap}/>"
    return f"<{name}{attributes}{gap}>{inside}</{name}{draw(_gap)}>"


_content = st.recursive(
    st.one_of(_text, _comment, _cdata, _instruction), lambda inner: st.one_of(inner, _element(inner)), max_leaves=12
)
_prolog = st.sampled_from(
    ["", "\n", "<?xml version='1.0'?>", '<?xml  version="1.0"  ?>\r\n', "<!DOCTYPE a [<!ELEMENT a ANY>]>\n"]
)
_misc = st.lists(st.one_of(_gap, _comment, _instruction), max_size=2).map("".join)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document: prolog, an element, and what may stand around it."""
    return f"{draw(_prolog)}{draw(_misc)}{draw(_element(_content))}{draw(_misc)}"
