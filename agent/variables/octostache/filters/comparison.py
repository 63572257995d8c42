"""Filters that answer `true` or `false`; all compare character by character."""

from __future__ import annotations


def contains(value: str | None, options: tuple[str, ...]) -> str | None:
    return None if value is None or len(options) != 1 else _answer(options[0] in value)


def starts_with(value: str | None, options: tuple[str, ...]) -> str | None:
    return None if value is None or len(options) != 1 else _answer(value.startswith(options[0]))


def ends_with(value: str | None, options: tuple[str, ...]) -> str | None:
    return None if value is None or len(options) != 1 else _answer(value.endswith(options[0]))


def _answer(holds: bool) -> str:
    return "true" if holds else "false"
