"""Custom numeric format strings of .NET: `#,##0.00;(0.0);zero`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

_PARTS = re.compile(
    r"""\\(?P<escaped>.?)|"(?P<double>[^"]*)"?|'(?P<single>[^']*)'?|(?P<exponent>[eE][+-]?0+)|"""
    r"""(?P<code>[0#.,%‰;])|(?P<plain>.)""",
    re.DOTALL,
)
_SCALES = {"%": 2, "‰": 3}
_EXACT = Context(prec=4000, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, kw_only=True)
class _Code:
    """A character of the format that means something, or a literal text."""

    kind: str
    text: str


_Section = list[_Code]


def format_custom(value: Decimal, form: str) -> str:
    """The number in the section of the format that its sign chooses."""
    sections = _sections(form)
    section, magnitude, negative = _chosen(value, sections)
    scaled = _scaled(magnitude, section)
    if _shows_zero(scaled, section) and value and len(sections) > 2 and sections[2]:
        section, scaled, negative = sections[2], Decimal(0), False
    exponent = next((code.text for code in section if code.kind == "exponent"), None)
    body = _scientific(scaled, section, exponent) if exponent else _written(scaled, section)
    nothing_left = _shows_zero(scaled, section) and _has_places(section)
    return ("-" if negative and not nothing_left else "") + body


def _sections(form: str) -> list[_Section]:
    sections: list[_Section] = [[]]
    for part in _PARTS.finditer(form):
        if part["code"] == ";":
            sections.append([])
        elif part["code"]:
            sections[-1].append(_Code(kind=part["code"], text=part["code"]))
        elif part["exponent"]:
            sections[-1].append(_Code(kind="exponent", text=part["exponent"]))
        else:
            text = next(
                part[name] or "" for name in ("escaped", "double", "single", "plain") if part[name] is not None
            )
            sections[-1].append(_Code(kind="text", text=text))
    return sections


def _chosen(value: Decimal, sections: list[_Section]) -> tuple[_Section, Decimal, bool]:
    """The section, the number without its sign, and whether a minus goes in front."""
    if not value and len(sections) > 2 and sections[2]:
        return sections[2], Decimal(0), False
    if value < 0 and len(sections) > 1 and sections[1]:
        return sections[1], abs(value), False
    return sections[0], abs(value), value < 0


def _has_places(section: _Section) -> bool:
    return any(code.kind in "0#" for code in section)


def _scaled(value: Decimal, section: _Section) -> Decimal:
    power = sum(_SCALES.get(code.kind, 0) for code in section) - 3 * _commas_before_point(section)
    return value.scaleb(power, _EXACT) if power else value


def _commas_before_point(section: _Section) -> int:
    """Each of them divides by a thousand."""
    count = 0
    for code in section:
        if code.kind == ",":
            count += 1
        elif code.kind in ("0", "#"):
            count = 0
        elif code.kind == ".":
            break
    return count if _has_places(section) else 0


def _layout(section: _Section) -> tuple[list[str], list[str], bool]:
    """The places before and after the point, and whether thousands are set apart."""
    whole: list[str] = []
    fraction: list[str] = []
    seen_point = grouping = False
    comma = False
    for code in section:
        if code.kind in ("0", "#"):
            grouping = grouping or (comma and bool(whole) and not seen_point)
            (fraction if seen_point else whole).append(code.kind)
            comma = False
        elif code.kind == "," and not seen_point:
            comma = True
        elif code.kind == ".":
            seen_point = True
    return whole, fraction, grouping


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), context=_EXACT)


def _shows_zero(value: Decimal, section: _Section) -> bool:
    if any(code.kind == "exponent" for code in section):
        return not value
    return not _rounded(value, len(_layout(section)[1]))


def _written(value: Decimal, section: _Section) -> str:
    """Digits into the places of the section, from the point outwards; literals stay where they are."""
    whole_places, fraction_places, grouping = _layout(section)
    whole, _, fraction = f"{_rounded(value, len(fraction_places)):f}".partition(".")
    whole = whole.lstrip("0").rjust(_digits_at_least(whole_places), "0")
    digits = iter(_distributed(whole, len(whole_places), grouping))
    decimals = iter(_without_optional(fraction, fraction_places))
    point = "." if _without_optional(fraction, fraction_places) else ""
    source = digits
    out: list[str] = []
    for code in section:
        if code.kind == "text" or code.kind in _SCALES:
            out.append(code.text)
        elif code.kind == "." and source is digits:
            out.append(point if whole_places else whole + point)
            source = decimals
        elif code.kind in ("0", "#"):
            out.append(next(source, ""))
    return "".join(out)


def _digits_at_least(places: list[str]) -> int:
    """How many digits are shown before the point even if they are zeros: from the first `0` on."""
    return len(places) - places.index("0") if "0" in places else 0


def _without_optional(fraction: str, places: list[str]) -> str:
    """Without the trailing zeros that no `0` asks for."""
    needed = max((place + 1 for place, kind in enumerate(places) if kind == "0"), default=0)
    return fraction[:needed] + fraction[needed:].rstrip("0")


def _distributed(whole: str, places: int, grouping: bool) -> list[str]:
    """What goes into each place before the point; the first one takes all that has no place of its own."""
    if not places:
        return []
    own = [_with_comma(whole, index, grouping) for index in range(len(whole))]
    if len(own) <= places:
        return [""] * (places - len(own)) + own
    surplus = len(own) - places + 1
    return ["".join(own[:surplus]), *own[surplus:]]


def _with_comma(whole: str, index: int, grouping: bool) -> str:
    left = len(whole) - index - 1
    return whole[index] + ("," if grouping and left and left % 3 == 0 else "")


def _scientific(value: Decimal, section: _Section, exponent_form: str) -> str:
    """As many digits before the point as there are places for them."""
    whole_places, fraction_places, _ = _layout(section)
    count = max(len(whole_places), 1)
    rounded = Context(prec=count + len(fraction_places), rounding=ROUND_HALF_UP).create_decimal(value)
    power = rounded.adjusted() - count + 1 if rounded else 0
    zeros = exponent_form.count("0")
    sign = "-" if power < 0 else ("+" if "+" in exponent_form else "")
    shown = f"{exponent_form[0]}{sign}{abs(power):0{zeros}d}"
    plain = [_Code(kind="text", text=shown) if code.kind == "exponent" else code for code in section]
    return _written(rounded.scaleb(-power), plain)
