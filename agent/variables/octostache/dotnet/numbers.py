"""Reads numbers as `TryParse` of .NET does, and writes a double as its `ToString` does."""

from __future__ import annotations

import math
import re
from decimal import Decimal

_DIGITS = r"[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+"
_BLANK = "[\\t-\\r ]*"
_INTEGER = re.compile(rf"{_BLANK}([+-]?)([0-9]+){_BLANK}\0*")
_DECIMAL = re.compile(
    rf"{_BLANK}(?:(?P<sign>[+-]?){_BLANK}(?P<digits>{_DIGITS})|(?P<trailed>{_DIGITS}){_BLANK}(?P<trailing>[+-])){_BLANK}\0*"
)
_DOUBLE = re.compile(rf"{_BLANK}(?P<number>[+-]?{_BLANK}(?:{_DIGITS})(?:[eE][+-]?[0-9]+)?){_BLANK}\0*")
_SYMBOLS = {"nan": math.nan, "infinity": math.inf, "-infinity": -math.inf, "∞": math.inf, "-∞": -math.inf}
_LONGEST = 1000

LARGEST_DECIMAL = Decimal("79228162514264337593543950335")


def parse_int32(text: str) -> int | None:
    """An integer of 32 bits, with a sign and blanks around it."""
    found = _INTEGER.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    value = int(found[1] + found[2])
    return value if -(2**31) <= value < 2**31 else None


def parse_decimal(text: str) -> Decimal | None:
    """A decimal of 28 digits: sign before or after, thousands separators, no exponent."""
    found = _DECIMAL.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    sign = found["sign"] or found["trailing"] or ""
    value = Decimal(sign + (found["digits"] or found["trailed"]).replace(",", ""))
    if abs(value) > LARGEST_DECIMAL:
        return None
    return _within_precision(value)


def parse_double(text: str, thousands: bool = True) -> float | None:
    """A double: sign, point, exponent, blanks around it, and thousands separators if wanted."""
    if len(text) > _LONGEST:
        return None
    symbol = _SYMBOLS.get(text.strip().lower())
    if symbol is not None:
        return symbol
    found = _DOUBLE.fullmatch(text)
    if found is None or ("," in text and not thousands):
        return None
    return float(re.sub(r"[,\s]", "", found["number"]))


def double_text(value: float) -> str:
    """The shortest text that reads back as this double: `1E+16`, `0.1`, `3`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    digits, exponent = shortest_digits(value)
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if -5 < exponent < 15:
        return sign + _positional(digits, exponent)
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{mantissa}E{'+' if exponent >= 0 else '-'}{abs(exponent):02d}"


def shortest_digits(value: float) -> tuple[str, int]:
    """The significant digits that tell this double from all others, and the exponent of the first."""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    power = int(exponent or 0) + len(whole) - 1 - leading
    digits = digits.rstrip("0")
    return (digits, power) if digits else ("0", 0)


def _positional(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    if len(digits) <= exponent + 1:
        return digits + "0" * (exponent + 1 - len(digits))
    return digits[: exponent + 1] + "." + digits[exponent + 1 :]


def _within_precision(value: Decimal) -> Decimal:
    """Rounded to what 96 bits and 28 places hold."""
    digits = value.as_tuple().digits
    exponent = value.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    whole = max(len(digits) - places, 0)
    kept = min(places, 28, max(29 - whole, 0))
    while True:
        rounded = value if kept == places else round(value, kept)
        if abs(int(rounded.scaleb(kept))) < 2**96 or kept == 0:
            return rounded
        kept -= 1
