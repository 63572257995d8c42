"""The clock, shifts in time, and `Format` for numbers and dates."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

from agent.variables.octostache.dotnet.date_formats import ROUND_TRIP, format_moment
from agent.variables.octostache.dotnet.dates import (
    DAY,
    TICKS,
    Moment,
    now_local,
    parse_moment,
    to_local,
    with_offset,
)
from agent.variables.octostache.dotnet.dates import now_utc as utc_clock
from agent.variables.octostache.dotnet.number_formats import format_number
from agent.variables.octostache.dotnet.numbers import parse_decimal, parse_double, parse_int32

_LONGEST_SHIFT = 2.0**63


def now(value: str | None, options: tuple[str, ...]) -> str | None:
    """`NowDate [format]`: the local time, without a value on the left."""
    return _clock(now_local, value, options)


def now_utc(value: str | None, options: tuple[str, ...]) -> str | None:
    return _clock(utc_clock, value, options)


def add_hours(value: str | None, options: tuple[str, ...]) -> str | None:
    return _shifted(value, options, 3600 * TICKS)


def add_days(value: str | None, options: tuple[str, ...]) -> str | None:
    return _shifted(value, options, DAY)


def format_value(value: str | None, options: tuple[str, ...]) -> str | None:
    """`Format form` for a number, else for a date; `Format type form`."""
    if value is None or not 1 <= len(options) <= 2:
        return None
    if len(options) == 2:
        return _typed(value, options[0].lower(), options[1])
    number = parse_decimal(value)
    if number is not None:
        return format_number(number, options[0])
    moment = parse_moment(value)
    return None if moment is None else format_moment(with_offset(moment), options[0])


def _clock(clock: Callable[[], Moment], value: str | None, options: tuple[str, ...]) -> str | None:
    if value is not None or len(options) > 1:
        return None
    return format_moment(clock(), options[0] if options else ROUND_TRIP)


def _shifted(value: str | None, options: tuple[str, ...], unit: int) -> str | None:
    """A naive time stays one, `Z` and offsets are kept."""
    amount = parse_double(options[0], thousands=False) if len(options) == 1 else None
    moment = parse_moment(value) if value is not None else None
    if moment is None or amount is None or math.isnan(amount) or abs(amount * unit) >= _LONGEST_SHIFT:
        return None
    shifted = moment.shifted(int(amount * unit))
    return None if shifted is None else format_moment(shifted, ROUND_TRIP)


def _typed(value: str, kind: str, form: str) -> str | None:
    number: Decimal | float | int | None
    if kind in ("int", "int32"):
        number = parse_int32(value)
    elif kind == "double":
        number = parse_double(value)
    elif kind == "decimal":
        number = parse_decimal(value)
    else:
        return _dated(value, kind, form)
    return None if number is None else format_number(number, form)


def _dated(value: str, kind: str, form: str) -> str | None:
    moment = parse_moment(value)
    if moment is None:
        return None
    if kind in ("date", "datetime"):
        return format_moment(to_local(moment), form)
    return format_moment(with_offset(moment), form) if kind == "datetimeoffset" else None
