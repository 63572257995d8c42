"""Whether a run said what the reference says: the level and the facts count, the wording is free."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.transform.messages import Message
from tests.conformance.text_cases import Case, LogEntry, require

_FACT = re.compile(r"'([^']*)'")


def check_log(case: Case, messages: Sequence[Message]) -> None:
    """CaseFailed if a wanted message is missing, an unwanted one is there, or one comes too often or too seldom."""
    for entry in case.expect_log:
        require(_count(entry, messages) or _same_facts(entry, messages), f"not said: {entry.level} {entry.text!r}")
    for entry in case.reject_log:
        require(not _count(entry, messages), f"said: {entry.level} {entry.text!r}")
    for entry in case.log_counts:
        count = _count(entry, messages)
        require(count == entry.count, f"said {count} times, not {entry.count}: {entry.text!r}")


def check_error(case: Case, error: Exception | None) -> None:
    """CaseFailed unless the run failed, or did not, as it should, and with the facts that it should name."""
    if error is None:
        require(not case.expect_error, "should fail, and did not")
        return
    require(case.expect_error, f"should not fail: {error}")
    for text in case.error_contains:
        require(text in str(error), f"the error does not say {text!r}: {error}")
    for pattern in case.error_matches:
        require(re.search(pattern, str(error)), f"the error does not match {pattern!r}: {error}")


def _count(entry: LogEntry, messages: Sequence[Message]) -> int:
    return sum(entry.level in {"any", message.level} and _matches(entry, message.text) for message in messages)


def _matches(entry: LogEntry, text: str) -> bool:
    if entry.match == "equals":
        return text == entry.text
    if entry.match == "regex":
        return re.search(entry.text, text) is not None
    return entry.text in text


def _same_facts(entry: LogEntry, messages: Sequence[Message]) -> bool:
    facts = _FACT.findall(entry.text)
    return entry.match in {"equals", "contains"} and any(
        facts and entry.level in {"any", message.level} and all(fact in message.text for fact in facts)
        for message in messages
    )
