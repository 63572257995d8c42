"""Sizes and times as people read them."""

from __future__ import annotations


def size(count: int) -> str:
    """`count` bytes: `512 bytes`, `4.9 kB`, `42.6 MB`; powers of 1000, as docker shows them."""
    if count < 1000:
        return f"{count} bytes"
    amount = count / 1000
    for unit in ("kB", "MB", "GB"):
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def duration(seconds: float) -> str:
    """`0.3 s`, `42 s`, `3 min 07 s`, `1 h 02 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def transferred(done: int, total: int) -> str:
    """`12.3 MB of 40.0 MB (30%)`, or only what was done while the whole is unknown."""
    if total <= 0:
        return size(done)
    return f"{size(done)} of {size(total)} ({min(100, done * 100 // total)}%)"
