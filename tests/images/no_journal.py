"""A journal for tests that look at effects themselves."""

from __future__ import annotations

from contextlib import nullcontext


class NoJournal:
    """Takes every effect and keeps none."""

    def effect(self, stage: str, kind: str, name: str) -> nullcontext[None]:  # noqa: ARG002
        return nullcontext()
