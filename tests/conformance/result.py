"""What a run over one area of case files found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class AreaResult:
    """`failed` and `quirks` hold (case id, one-line reason).

    A quirk is a defect of the reference where ours does the better thing that the reason names; it counts as
    passed. `exact` counts the cases that agree to the byte, in areas that know that grade.
    """

    area: str
    passed: int
    failed: tuple[tuple[str, str], ...]
    exact: int | None = None
    quirks: tuple[tuple[str, str], ...] = ()
