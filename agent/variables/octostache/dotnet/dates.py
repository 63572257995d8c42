"""Reads dates and times as `DateTime.TryParse` of .NET does in the invariant culture: to 100 ns, three kinds."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

TICKS = 10_000_000
DAY = 86_400 * TICKS
_LAST = date.max.toordinal() * DAY

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Kind = Literal["naive", "utc", "offset"]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Ticks of 100 ns since the first of January of the year 1, on a clock that is `offset` minutes from UTC.

    Naive is a `DateTime` of no kind, `utc` one with a `Z`, `offset` a `DateTimeOffset`.
    """

    ticks: int
    kind: Kind = "naive"
    offset: int = 0

    @property
    def day(self) -> date:
        return date.fromordinal(self.ticks // DAY + 1)

    def shifted(self, ticks: int) -> Moment | None:
        """So much later; None beyond the years 1 to 9999."""
        moved = self.ticks + ticks
        return replace(self, ticks=moved) if 0 <= moved < _LAST else None

    def in_utc(self) -> Moment:
        return replace(self, ticks=max(0, self.ticks - self.offset * 60 * TICKS), kind="utc", offset=0)


@dataclass(frozen=True, kw_only=True)
class JsonDate:
    """The two forms in which Newtonsoft writes a string that it took for a time."""

    general: str
    round_trip: str


def parse_moment(text: str) -> Moment | None:
    """A date, a time of today, or both, with `Z` or an offset perhaps."""
    found = _MOMENT.fullmatch(text.strip()) if len(text) < _LONGEST else None
    if found is None:
        return None
    part = {name: value for name, value in found.groupdict().items() if value is not None}
    day = _day(part)
    ticks = _ticks(part)
    if day is None or ticks is None:
        return None
    whole = (day.toordinal() - 1) * DAY + ticks
    zone = part.get("zone", "")
    if not zone:
        return Moment(ticks=whole)
    if zone.upper() == "Z":
        return Moment(ticks=whole, kind="utc")
    offset = _offset(zone)
    return None if offset is None else Moment(ticks=whole, kind="offset", offset=offset)


def now_local() -> Moment:
    """The local clock's time, without its offset."""
    return _naive(datetime.now())  # noqa: DTZ005  the wall clock is what is asked for


def now_utc() -> Moment:
    return replace(_naive(datetime.now(UTC)), kind="utc")


def local_offset(moment: Moment) -> int:
    """How far, in minutes, the local clock is from UTC when it shows this time."""
    shown = datetime(1, 1, 1) + timedelta(microseconds=moment.ticks // 10)  # noqa: DTZ001
    try:
        offset = shown.astimezone().utcoffset()
    except (OverflowError, OSError, ValueError):
        return 0
    return int(offset.total_seconds() // 60) if offset else 0


def with_offset(moment: Moment) -> Moment:
    """As `DateTimeOffset`: a naive time is a local one."""
    if moment.kind == "naive":
        return replace(moment, kind="offset", offset=local_offset(moment))
    return replace(moment, kind="offset")


def to_local(moment: Moment) -> Moment:
    """As `DateTime`: a time with an offset becomes the local one."""
    if moment.kind == "naive":
        return moment
    utc = moment.in_utc()
    return replace(utc.shifted(_local_from_utc(utc) * 60 * TICKS) or utc, kind="naive")


def newtonsoft_date(text: str) -> JsonDate | None:
    """A string of the form that Newtonsoft.Json takes for a time."""
    if len(text) < 19 or len(text) > 40 or text[10] != "T":
        return None
    found = _ISO.fullmatch(text)
    moment = parse_moment(text) if found else None
    if moment is None or found is None:
        return None
    if moment.kind == "offset":
        local = to_local(moment)
        zone = _zone_text(local_offset(local))
    else:
        local, zone = moment, "Z" if moment.kind == "utc" else ""
    day = local.day
    seconds, fraction = divmod(local.ticks % DAY, TICKS)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    decimals = f".{fraction:07d}".rstrip("0") if fraction else ""
    return JsonDate(
        general=f"{day.month:02d}/{day.day:02d}/{day.year:04d} {clock}",
        round_trip=f"{day.year:04d}-{day.month:02d}-{day.day:02d}T{clock}{decimals}{zone}",
    )


_LONGEST = 100
_SEPARATOR = r"\s*[-/.\s]\s*"
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" for month in MONTHS)
_WEEKDAY = "|".join(f"{day[:3]}(?:{day[3:]})?" for day in DAYS)
_DATES = (
    rf"(?P<y1>\d{{4}}){_SEPARATOR}(?P<m1>\d{{1,2}})(?:{_SEPARATOR}(?P<d1>\d{{1,2}}))?",
    rf"(?P<m2>\d{{1,2}}){_SEPARATOR}(?P<d2>\d{{1,2}})(?:{_SEPARATOR}(?P<y2>\d{{4}}|\d{{2}}))?",
    rf"(?P<d3>\d{{1,2}})[\s/.-]*(?P<n3>{_MONTH})(?:[\s/.,-]*(?P<y3>\d{{4}}|\d{{2}}))?",
    rf"(?P<n4>{_MONTH})[\s/.-]*(?:(?P<d4>\d{{1,2}})(?!\d))?(?:[\s/.,-]+(?P<y4>\d{{4}}))?",
    rf"(?P<y5>\d{{4}})[\s/.-]*(?P<n5>{_MONTH})(?:[\s/.-]*(?P<d5>\d{{1,2}}))?",
)
_TIME = (
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,20}))?)?\s*"
    r"(?P<half>[AaPp][Mm]?)?|\s*(?P<half2>[AaPp][Mm]?))"
)
_ZONE = r"(?P<zone>[Zz]|GMT|[+-]\s*\d{1,2}(?::?\d{2})?)"
_MOMENT = re.compile(
    rf"(?:(?:{_WEEKDAY}),?\s*)?(?:(?:{'|'.join(_DATES)}),?)?(?:(?:^|\s*[Tt]\s*|\s+){_TIME})?(?:\s*{_ZONE})?",
    re.IGNORECASE,
)
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?(?:Z|[+-]\d\d:\d\d)?")
_NUMBER_OF_MONTH = {month[:3].lower(): number for number, month in enumerate(MONTHS, 1)}


def _day(part: dict[str, str]) -> date | None:
    """The date that is named, or today's; what is left out of it is this year, or the first."""
    given = {name[0]: value for name, value in part.items() if name[-1].isdigit() and name[0] in "ymdn"}
    if not given:
        return now_local().day if "hour" in part else None
    if len(given) < 2:
        return None
    month = int(given["m"]) if "m" in given else _NUMBER_OF_MONTH[given["n"][:3].lower()]
    year = _year(given["y"]) if "y" in given else now_local().day.year
    try:
        return date(year, month, int(given.get("d", "1")))
    except ValueError:
        return None


def _year(text: str) -> int:
    if len(text) > 2:
        return int(text)
    return int(text) + (2000 if int(text) < 50 else 1900)


def _ticks(part: dict[str, str]) -> int | None:
    """Since midnight."""
    if "hour" not in part:
        return 0
    hour, minute, second = (int(part.get(name, "0")) for name in ("hour", "minute", "second"))
    half = part.get("half", part.get("half2", "")).lower()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    digits = part.get("fraction", "0")
    return (hour * 3600 + minute * 60 + second) * TICKS + round(int(digits) * TICKS / int("1" + "0" * len(digits)))


def _offset(zone: str) -> int | None:
    """In minutes, at most 14 hours."""
    if zone.upper() == "GMT":
        return 0
    digits = re.sub(r"\D", "", zone)
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    size = int(hours) * 60 + int(minutes)
    if size > 14 * 60 or int(minutes) > 59:
        return None
    return -size if zone.startswith("-") else size


def _zone_text(offset: int) -> str:
    sign = "-" if offset < 0 else "+"
    return f"{sign}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"


def _local_from_utc(moment: Moment) -> int:
    """How far, in minutes, the local clock is from UTC at this time of UTC."""
    shown = datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment.ticks // 10)
    try:
        offset = shown.astimezone().utcoffset()
    except (OverflowError, OSError, ValueError):
        return 0
    return int(offset.total_seconds() // 60) if offset else 0


def _naive(shown: datetime) -> Moment:
    seconds = shown.hour * 3600 + shown.minute * 60 + shown.second
    return Moment(ticks=(shown.toordinal() - 1) * DAY + seconds * TICKS + shown.microsecond * 10)
