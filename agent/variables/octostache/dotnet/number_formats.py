"""Writes numbers by the format strings of .NET, in the invariant culture (currency `¤`)."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal

from agent.variables.octostache.dotnet.custom_numbers import format_custom
from agent.variables.octostache.dotnet.numbers import double_text, shortest_digits

MOST_DIGITS = 1000
"""More places than anyone formats; .NET would write up to a thousand million."""

LONGEST_FORM = 500

_STANDARD = re.compile(r"([A-Za-z])([0-9]{0,9})")
_EXACT = Context(prec=MOST_DIGITS + 400, rounding=ROUND_HALF_UP)


def format_number(value: Decimal | float | int, form: str) -> str | None:
    """The number in that form; None if the form is invalid for its type."""
    if isinstance(value, float) and not math.isfinite(value):
        return double_text(value)
    if len(form) > LONGEST_FORM:
        return None
    standard = _STANDARD.fullmatch(form)
    if not form:
        return _general(value, None, "E")
    if standard is None:
        exact = _custom_digits(value) if isinstance(value, float) else Decimal(value)
        return format_custom(exact, form)
    places = int(standard[2]) if standard[2] else None
    if places is not None and places > MOST_DIGITS:
        return None
    return _standard(value, standard[1], places)


def grouped(digits: str) -> str:
    """`1234567` as `1,234,567`."""
    return f"{int(digits):,}" if len(digits) < MOST_DIGITS else digits


def _standard(value: Decimal | float | int, letter: str, places: int | None) -> str | None:
    kind = letter.upper()
    if kind in "FNCP":
        return _fixed(Decimal(value), kind, 2 if places is None else places)
    if kind == "E":
        return _scientific(Decimal(value), letter, 6 if places is None else places)
    if kind == "G":
        return _general(value, places or None, "E" if letter == "G" else "e")
    if kind == "R" and isinstance(value, float):
        return double_text(value)
    if kind in "DXB" and isinstance(value, int):
        return _whole(value, letter, places or 0)
    return None


def _fixed(value: Decimal, kind: str, places: int) -> str:
    scaled = value.scaleb(2, _EXACT) if kind == "P" else value
    rounded = scaled.quantize(Decimal(1).scaleb(-places), context=_EXACT)
    whole, _, fraction = f"{abs(rounded):f}".partition(".")
    number = (whole if kind == "F" else grouped(whole)) + (f".{fraction}" if fraction else "")
    negative = rounded < 0
    if kind == "C":
        return f"(¤{number})" if negative else f"¤{number}"
    return ("-" if negative else "") + number + (" %" if kind == "P" else "")


def _scientific(value: Decimal, letter: str, places: int) -> str:
    digits, exponent = _rounded_digits(value, places + 1)
    mantissa = digits[0] + (f".{digits[1:].ljust(places, '0')}" if places else "")
    sign = "-" if value < 0 else ""
    return f"{sign}{mantissa}{letter}{'-' if exponent < 0 else '+'}{abs(exponent):03d}"


def _general(value: Decimal | float | int, places: int | None, letter: str) -> str:
    if isinstance(value, float) and places is None:
        return double_text(value).replace("E", letter)
    if places is None:
        return f"{Decimal(value):f}"
    digits, exponent = _rounded_digits(Decimal(value), places)
    digits = digits.rstrip("0") or "0"
    sign = "-" if value < 0 else ""
    if -5 < exponent < places:
        return sign + _positional(digits, exponent)
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{mantissa}{letter}{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _whole(value: int, letter: str, places: int) -> str:
    if letter.upper() == "D":
        return ("-" if value < 0 else "") + str(abs(value)).zfill(places)
    bits = value % 2**32
    return format(bits, letter if letter in "xX" else "b").zfill(places)


def _rounded_digits(value: Decimal, count: int) -> tuple[str, int]:
    """So many significant digits, and the exponent of the first."""
    if not value:
        return "0" * count, 0
    rounded = Context(prec=count, rounding=ROUND_HALF_UP).create_decimal(abs(value))
    digits = "".join(map(str, rounded.as_tuple().digits)).ljust(count, "0")
    return digits, rounded.adjusted()


def _positional(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    return whole + (f".{digits[exponent + 1 :]}" if len(digits) > exponent + 1 else "")


def _custom_digits(value: float) -> Decimal:
    """A double as custom formats see it: 15 digits of it."""
    digits, exponent = shortest_digits(value)
    if len(digits) > 15:
        return Context(prec=15, rounding=ROUND_HALF_UP).create_decimal(Decimal(value))
    number = Decimal(int(digits)).scaleb(exponent - len(digits) + 1)
    return -number if value < 0 else number
