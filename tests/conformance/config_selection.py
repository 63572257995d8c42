"""Cases that say only which files a feature works on: the reference's own tests have no real files there."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.transform import transform
from agent.variables import Variables
from tests.conformance.config_logs import check_log
from tests.conformance.text_cases import Case, Verdict, require


def run_selection(case: Case, said: str) -> Verdict:
    """The files are made, under a folder of their own, and `said` is the message that names a file at work."""
    with TemporaryDirectory() as folder:
        top = Path(folder).resolve()
        places = {name: _moved(name, top, case) for name in (*case.files, *(case.expect_processed or ()))}
        for place in places.values():
            place.parent.mkdir(parents=True, exist_ok=True)
        for name in case.files:
            places[name].write_text('{"key": "#{key}"}', encoding="utf-8")
        root = _moved(case.current_directory or ".", top, case)
        root.mkdir(parents=True, exist_ok=True)
        variables = {name: _moved_paths(value, top) for name, value in case.variables.items()}
        done = transform(root, None, Variables.of(variables))
    named = (match[1] for message in done.messages if (match := re.search(said, message.text)))
    processed = sorted({root / name for name in named})
    wanted = sorted(places[name] for name in case.expect_processed or ())
    require(processed == wanted, f"worked on {processed}, not on {wanted}")
    check_log(case, done.messages)
    return Verdict(exact=True)


def _moved(name: str, top: Path, case: Case) -> Path:
    if name.startswith("/"):
        return top / name.strip("/")
    return top / (case.current_directory or "").strip("/") / name


def _moved_paths(value: str | None, top: Path) -> str | None:
    return f"{top.as_posix()}{value}" if value is not None and value.startswith("/") else value
