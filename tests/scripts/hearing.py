"""A report that is kept, to see what scripts have said."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.report import Report
from agent.report.events import Event, Message, Output
from agent.scripts import Listener


class Keeping:
    transfer_interval = 1.0

    def __init__(self) -> None:
        self.events: list[Event] = []

    def show(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass


@dataclass
class Heard:
    report: Report
    kept: Keeping
    listener: Listener = field(init=False)

    @property
    def output(self) -> list[str]:
        self.report.close()
        return [event.text for event in self.kept.events if isinstance(event, Output)]

    @property
    def messages(self) -> list[str]:
        return [event.text for event in self.kept.events if isinstance(event, Message)]

    @property
    def warnings(self) -> list[str]:
        return [event.text for event in self.kept.events if isinstance(event, Message) and event.level == "warning"]

    @property
    def text(self) -> str:
        self.report.close()
        return repr(self.kept.events)


def heard() -> Heard:
    kept = Keeping()
    return Heard(report=Report(kept), kept=kept)
