"""What a script or a container says: service messages are obeyed, everything else is passed on, masked.

Only output variables, artifacts, progress, masks and the result are taken; a script that runs here, or a container
made for this very run, may say them. Whatever else has a server's label stays harmless text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.report import Report
from agent.report.service_messages import LABEL, ServiceMessage, parse

_MOST = 1000
_LONGEST = 4 * 1024 * 1024
_MOST_BYTES = 32 * 1024 * 1024
_MOST_LINES = 500
_MESSAGE = re.compile(re.escape(LABEL) + r"\[[^\]]*\]")
_LEVEL = re.compile(r"stdout-(default|verbose|warning|error|highlight|wait|ignore)")


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file that was offered: its path where the script ran, and the name to show."""

    path: str
    name: str


class Listener:
    """Takes lines, in order, from one thread. What it has heard stands in its fields."""

    def __init__(self, report: Report) -> None:
        self.outputs: dict[str, str] = {}
        self.sensitive: dict[str, str] = {}
        self.artifacts: list[Artifact] = []
        self.result = ""
        """Why it failed, in the script's own words."""
        self._report = report
        self._bytes = 0
        self._open = ""  # a message whose end is not there yet
        self._level = "default"
        self._said: list[str] = []  # lines at a level of their own; told together, since a secret may span them

    def line(self, line: str) -> None:
        """One line of output, without its newline."""
        if self._open:
            line, self._open = self._open + line, ""
        elif LABEL not in line:
            self._say(line)
            return
        start = line.rfind(LABEL + "[")
        if start >= 0 and "]" not in line[start:] and len(line) < _LONGEST:
            self._open = line
            return
        self._split(line)

    def close(self) -> None:
        """Nothing follows."""
        line, self._open = self._open, ""
        if line:
            self._say(line)
        self._tell()

    def _split(self, line: str) -> None:
        """The text between messages is output; so is what only looks like a message."""
        end = 0
        for found in _MESSAGE.finditer(line):
            message = next(parse(found[0]), None)
            before = line[end : found.start()]
            if before:
                self._say(before)
            if message is None:
                self._report.warning("a service message in the output could not be read; it was passed over")
            else:
                self._obey(message)
            end = found.end()
        if rest := line[end:]:
            self._say(rest)

    def _obey(self, message: ServiceMessage) -> None:
        level = _LEVEL.fullmatch(message.name)
        values = message.properties
        if level is not None:
            self._tell()
            self._level = level[1]
        elif message.name == "setVariable":
            self._set(values)
        elif message.name == "createArtifact":
            self._offer(values)
        elif message.name == "progress":
            self._report.detail(f"{values.get('percentage', '')}% {values.get('message', '')}".strip())
        elif message.name == "resultMessage":
            self.result = values.get("message", "")[:_LONGEST]
        elif message.name == "mask" and "value" in values:
            self._report.mask("a masked value", values["value"])
        else:
            self._report.verbose(f"the service message {message.name} is not taken here")

    def _set(self, values: Mapping[str, str]) -> None:
        name, value = values.get("name", ""), values.get("value")
        if not name or value is None:
            self._report.warning("an output variable without a name or value was passed over")
            return
        self._bytes += len(name) + len(value)
        if len(self.outputs) + len(self.sensitive) >= _MOST or self._bytes > _MOST_BYTES:
            self._report.warning(f"output variable {name}: there are too many by now; it was passed over")
            return
        sensitive = values.get("sensitive", "").lower() == "true"
        (self.outputs if sensitive else self.sensitive).pop(name, None)
        (self.sensitive if sensitive else self.outputs)[name] = value
        self._report.set_variable(name, value, sensitive=sensitive)

    def _offer(self, values: Mapping[str, str]) -> None:
        path = values.get("path", "")
        name = values.get("name", "") or re.split(r"[\\/]", path)[-1]
        if not path or len(self.artifacts) >= _MOST:
            self._report.warning(f"artifact {name}: it has no path, or there are too many; it was passed over")
            return
        self.artifacts.append(Artifact(path=path, name=name))

    def _say(self, line: str) -> None:
        if self._level == "default":
            self._report.output(line, story=True)
            return
        self._said.append(line)
        if len(self._said) >= _MOST_LINES:
            self._tell()

    def _tell(self) -> None:
        text, self._said = "\n".join(self._said), []
        if not text:
            return
        match self._level:
            case "verbose":
                self._report.verbose(text)
            case "warning":
                self._report.warning(text)
            case "error":
                self._report.error(text)
            case "highlight" | "wait":
                self._report.info(text)
            case _:
                pass
