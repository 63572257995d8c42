"""The one error of the XML document: what is wrong with a file, and where."""

from __future__ import annotations

from agent.errors import TransformError


class XmlError(TransformError):
    """XML that is not well-formed, or refused. `line` and `column` count from 1; 0 where unknown."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"{message}, line {line}, column {column}" if line else message)
        self.message = message
        self.line = line
        self.column = column
