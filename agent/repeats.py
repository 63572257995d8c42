"""Repetition in regular expressions that never gives back: `(?:x)*+`, for every Python that we run on.

Before 3.11.5, so on Debian 12, `re` mismatches a possessive group that has alternatives or looks ahead
(https://github.com/python/cpython/issues/106052). An atomic group is right there, but remembers each round until it
is left: rounds are taken by the thousand, so that a long text costs a thousandth of that memory. A possessive
repetition of a single character or class, `[a-z]*+`, is right everywhere and needs none of this.
"""

from __future__ import annotations


def any_number_of(expression: str) -> str:
    """As `(?:expression)*+`; what is repeated may not match nothing."""
    return rf"(?>(?:{_up_to_a_thousand(expression)})*)"


def at_least_one(expression: str) -> str:
    """As `(?:expression)++`; what is repeated may not match nothing."""
    return rf"(?>(?:{_up_to_a_thousand(expression)})+)"


def at_most_one(expression: str) -> str:
    """As `(?:expression)?+`."""
    return rf"(?>(?:{expression})?)"


def _up_to_a_thousand(expression: str) -> str:
    return rf"(?>(?:{expression}){{1,1000}})"
