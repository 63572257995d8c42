"""Stands for powershell.exe on the tests' machine: decodes what was sent, and notes which script it was to run.

Usage: powershell.py NOTES arguments...; NOTES is a folder for what was asked, and may hold an `answer` (code, text).
"""

import base64
import json
import re
import sys
from itertools import pairwise
from pathlib import Path

DECODE = (
    r"\[IO\.File\]::WriteAllBytes\('(.+)', \[Convert\]::FromBase64String\(\[IO\.File\]::ReadAllText\('(.+)'\)\)\)"
)


def main(notes: Path, arguments: list[str]) -> int:
    given = dict(pairwise(arguments))
    if "-Command" in given:
        found = re.fullmatch(DECODE, given["-Command"])
        assert found is not None, given
        target, source = (Path(name.replace("\\", "/")) for name in found.groups())
        target.write_bytes(base64.b64decode(source.read_text("ascii")))
        return 0
    sent = [Path(argument.replace("\\", "/")) for argument in arguments if argument.startswith(".dockwright-")]
    for file in sent:
        (notes / file.name).write_bytes(file.read_bytes())
    (notes / "arguments").write_text(json.dumps(arguments), encoding="utf-8")
    answer = notes / "answer"
    code, text = json.loads(answer.read_text("utf-8")) if answer.exists() else (0, "thumbprint AB12\r\n")
    print(text, end="", file=sys.stderr if code else sys.stdout)
    return int(code)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
