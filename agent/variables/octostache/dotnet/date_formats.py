"""Writes dates and times by the format strings of .NET, in the invariant culture."""

from __future__ import annotations

import re

from agent.variables.octostache.dotnet.dates import DAY, DAYS, MONTHS, TICKS, Moment, local_offset

ROUND_TRIP = "yyyy-MM-ddTHH:mm:ss.fffffffK"

_STANDARD = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "m": "MMMM dd",
    "M": "MMMM dd",
    "o": ROUND_TRIP.replace("T", "'T'"),
    "O": ROUND_TRIP.replace("T", "'T'"),
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-dd'T'HH:mm:ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "U": "dddd, dd MMMM yyyy HH:mm:ss",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
_PARTS = re.compile(
    r"""(?P<escaped>\\.)|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|%(?P<single>[^%])|"""
    r"""(?P<run>d+|f+|F+|g+|h+|H+|K|m+|M+|s+|t+|y+|z+)|(?P<broken>["'\\%])|(?P<plain>[^\\"'%dfFghHKmMstyz]+)""",
    re.DOTALL,
)


def format_moment(moment: Moment, form: str) -> str | None:
    """The moment in that form; None if the form is invalid."""
    if len(form) == 1:
        standard = _STANDARD.get(form)
        if standard is None or (form == "U" and moment.kind == "offset"):
            return None
        return _custom(moment.in_utc() if _wants_utc(form, moment) else moment, standard)
    if not form:
        return _custom(moment, "MM/dd/yyyy HH:mm:ss zzz" if moment.kind == "offset" else _STANDARD["G"])
    return _custom(moment, form)


def _wants_utc(form: str, moment: Moment) -> bool:
    return (form in "rRu" and moment.kind == "offset") or form == "U"


def _custom(moment: Moment, form: str) -> str | None:
    written: list[str] = []
    for part in _PARTS.finditer(form):
        if part["broken"]:
            return None
        if part["escaped"]:
            written.append(part["escaped"][1])
        elif part["quoted"]:
            written.append(re.sub(r"\\(.)", r"\1", part["quoted"][1:-1], flags=re.DOTALL))
        elif part["plain"]:
            written.append(part["plain"])
        else:
            text = _field(moment, part["run"] or part["single"], written)
            if text is None:
                return None
            written.append(text)
    return "".join(written)


def _field(moment: Moment, run: str, written: list[str]) -> str | None:
    """One field; None if the format has no such one."""
    letter, count = run[0], len(run)
    match letter:
        case "f" | "F":
            text = _fraction(moment, letter, count, written)
        case "d" | "M":
            text = _calendar(moment, letter, count)
        case "y":
            year = moment.day.year
            text = f"{year % 100:0{count}d}" if count <= 2 else f"{year:0{count}d}"
        case "g":
            text = "A.D."
        case "K" | "z":
            text = _zone(moment, letter, count)
        case "t":
            text = ("AM" if moment.ticks % DAY < DAY // 2 else "PM")[:count]
        case "h" | "H" | "m" | "s":
            text = _clock(moment, letter, count)
        case _:
            text = letter
    return text


def _calendar(moment: Moment, letter: str, count: int) -> str:
    day = moment.day
    names, place = (DAYS, day.weekday()) if letter == "d" else (MONTHS, day.month - 1)
    if count == 3:
        return names[place][:3]
    if count > 3:
        return names[place]
    return f"{day.day if letter == 'd' else day.month:0{count}d}"


def _clock(moment: Moment, letter: str, count: int) -> str:
    seconds = moment.ticks % DAY // TICKS
    value = {
        "H": seconds // 3600,
        "h": seconds // 3600 % 12 or 12,
        "m": seconds // 60 % 60,
        "s": seconds % 60,
    }[letter]
    return f"{value:0{min(count, 2)}d}"


def _fraction(moment: Moment, letter: str, count: int, written: list[str]) -> str | None:
    if count > 7:
        return None
    digits = f"{moment.ticks % TICKS:07d}"[:count]
    if letter == "f":
        return digits
    digits = digits.rstrip("0")
    if not digits and written and written[-1].endswith("."):
        written[-1] = written[-1][:-1]
    return digits


def _zone(moment: Moment, letter: str, count: int) -> str:
    if letter == "K":
        if moment.kind == "naive":
            return ""
        if moment.kind == "utc":
            return "Z"
    offset = local_offset(moment) if moment.kind == "naive" else moment.offset
    hours, minutes = divmod(abs(offset), 60)
    sign = "-" if offset < 0 else "+"
    if letter == "z" and count < 3:
        return f"{sign}{hours:0{count}d}"
    return f"{sign}{hours:02d}:{minutes:02d}"
