"""What a script is, and which program reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Language = Literal["sh", "python", "powershell"]

EXTENSIONS: Final[dict[str, Language]] = {"sh": "sh", "py": "python", "ps1": "powershell"}
"""By a file's extension, in lower case."""

INTERPRETERS: Final[dict[Language, tuple[str, ...]]] = {
    "sh": ("bash", "sh"),
    "python": ("python3", "python"),
    "powershell": ("pwsh", "powershell"),
}
"""The programs that read a language, the best first."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """One script. `name` is what messages call it; `text` may hold secrets, once variables stand in it.

    `interpreter` is the program that reads it, where it is another than usual.
    """

    name: str
    language: Language
    text: bytes = field(repr=False)
    interpreter: str = ""

    @property
    def file(self) -> str:
        """The name of the file it is read from: PowerShell goes by the extension."""
        return "script." + next(extension for extension, known in EXTENSIONS.items() if known == self.language)

    @property
    def readable(self) -> bytes:
        """The text as its interpreter takes it: a shell stumbles over a carriage return, and PowerShell 5 takes
        a file without a mark for an old code page (as Calamari writes them)."""
        bare = self.text.removeprefix(b"\xef\xbb\xbf")
        if self.language == "sh":
            return bare.replace(b"\r\n", b"\n")
        return b"\xef\xbb\xbf" + bare if self.language == "powershell" else bare
