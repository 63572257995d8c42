"""Whether a log says what a case expects: the level and the facts must be there, the wording is free."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent.transform.messages import Message

Entry = Mapping[str, Any]

_FACT = re.compile(r"'([^']+)'|\"([^\"]+)\"")


def log_reason(case: Mapping[str, Any], messages: Sequence[Message], folder: str = "") -> str | None:
    """Why a log is not what a case expects; None if it is. `folder` is how the run's own folder was called."""
    for entry in case.get("expect_log") or ():
        if not any(_matches(entry, message, folder) for message in messages):
            return f"the log lacks, at {entry['level']}: {entry['text']}"
    for entry in case.get("reject_log") or ():
        if any(_matches(entry, message, folder) for message in messages):
            return f"the log has, at {entry['level']}: {entry['text']}"
    for entry in case.get("log_counts") or ():
        count = sum(_matches(entry, message, folder) for message in messages)
        if count != entry["count"]:
            return f"the log has {count} times, not {entry['count']}: {entry['text']}"
    return None


def _matches(entry: Entry, message: Message, folder: str) -> bool:
    if entry["level"] not in {"any", message.level}:
        return False
    expected, text = str(entry["text"]).replace("{DIR}", folder), message.text
    match entry["match"]:
        case "regex":
            return re.search(expected, text) is not None
        case "contains":
            return expected in text or _has_facts(expected, text)
        case "format":
            return re.fullmatch(re.sub(r"\\\{\d+\\\}", ".*", re.escape(expected)), text, re.DOTALL) is not None
        case _:
            return expected == text or _has_facts(expected, text)


def _has_facts(expected: str, text: str) -> bool:
    facts = [one or other for one, other in _FACT.findall(expected)]
    return bool(facts) and all(fact in text for fact in facts)
