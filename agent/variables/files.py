"""Variables files: both generations that Calamari reads, plain or encrypted, and the process environment.

    since 2025   [{"k": "Name", "v": "Value", "s": false}, …]
    before       {"Name": "Value", …}

In the older generation a server put the sensitive variables, and nothing else, into an encrypted file. So every
value of an encrypted object counts as sensitive here. Calamari itself takes them for non-sensitive, but it does
no masking of its own, so nothing but what is shown depends on it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from agent.errors import StorageError, VariablesError
from agent.variables.encryption import decrypt, encrypt
from agent.variables.variable import Variable

LARGEST_FILE = 512 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_SHAPE = '{"k": "name", "v": "text or null", "s": true or false}'


class _Entry(msgspec.Struct, frozen=True):
    """One entry of the newer shape. Fields that a later server adds are passed over."""

    k: str
    v: str | None = None
    s: bool = False


def read_variables(path: Path, password: str | None) -> tuple[Variable, ...]:
    """The file's variables in its order, duplicates included: whoever merges lets the later one win.

    A blank password means a plain file, as Calamari. VariablesError for a file that is not what it should be.
    """
    data = _content(path)
    try:
        if password:
            return _encrypted(data, password, source=str(path))
        return _plain(data, source=str(path))
    except VariablesError as error:
        raise VariablesError(f"{path}: {error}") from error


def write_variables(path: Path, variables: Iterable[Variable], password: str | None) -> None:
    """Replace `path` by a file of the newer shape that only its owner can read; all of it or nothing.

    Without a password sensitive values lie in it as they are. StorageError if it cannot be written.
    """
    entries = [_Entry(k=each.name, v=each.value, s=each.sensitive) for each in variables]
    try:
        data = msgspec.json.encode(entries)
    except UnicodeEncodeError as error:
        raise VariablesError(f"{path}: a variable holds half a character; correct its value") from error
    try:
        _replace(path, encrypt(data, password) if password else data)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error


def environment_variables(environ: Mapping[str, str]) -> tuple[Variable, ...]:
    """Every environment variable as `env:NAME`, as Calamari adds them; bytes that are no text become U+FFFD."""
    return tuple(
        Variable(f"env:{_as_text(name)}", _as_text(value), source="environment") for name, value in environ.items()
    )


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise VariablesError(f"{path}: no such file; check the path of the variables file") from error
    except IsADirectoryError as error:
        raise VariablesError(f"{path}: is a folder; name the variables file in it") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise VariablesError(f"{path}: cannot be read: {reason}; check its permissions") from error
    if len(data) > LARGEST_FILE:
        raise VariablesError(f"{path}: is larger than {LARGEST_FILE >> 20} MB; this is no variables file")
    if not data:
        raise VariablesError(f"{path}: is empty; even without variables it must hold []")
    return data


def _encrypted(data: bytes, password: str, source: str) -> tuple[Variable, ...]:
    if not data.startswith(b"IV__") and _looks_like_json(data):
        raise VariablesError("is not encrypted, but a password was given; leave the password out")
    plain = decrypt(data, password)
    if not _looks_like_json(plain):
        raise VariablesError(
            "cannot be decrypted: the password is wrong, or the file is damaged; check the password first"
        )
    return _parse(plain, source, encrypted=True)


def _plain(data: bytes, source: str) -> tuple[Variable, ...]:
    if data.startswith(b"IV__"):
        raise VariablesError("is encrypted; give its password")
    if not _looks_like_json(data) and len(data) % 16 == 4 and b"\0" in data:
        raise VariablesError("is no text, perhaps encrypted; give its password")
    return _parse(data, source, encrypted=False)


def _looks_like_json(data: bytes) -> bool:
    return data.removeprefix(_BOM)[:1024].lstrip()[:1] in (b"[", b"{")


def _parse(data: bytes, source: str, *, encrypted: bool) -> tuple[Variable, ...]:
    text = _decode(data.removeprefix(_BOM))
    start = text[:1024].lstrip()[:1]
    if start not in ("[", "{"):
        raise VariablesError("is not JSON; a variables file begins with [ or {")
    try:
        found = _variables(text, source, listed=start == "[", encrypted=encrypted)
    except msgspec.ValidationError as error:
        raise VariablesError(_wrong_shape(text, str(error))) from error
    except msgspec.DecodeError as error:
        raise VariablesError(f"is not valid JSON: {_place(text, str(error))}; write it anew") from error
    except RecursionError as error:
        raise VariablesError("is nested far too deep; a variables file is one flat list") from error
    for index, variable in enumerate(found, 1):
        if not variable.name:
            raise VariablesError(f"entry {index} has no name; give it one or remove it")
    return found


def _variables(text: str, source: str, *, listed: bool, encrypted: bool) -> tuple[Variable, ...]:
    if listed:
        entries = msgspec.json.decode(text, type=list[_Entry])
        return tuple(Variable(each.k, each.v, each.s, source) for each in entries)
    values = msgspec.json.decode(text, type=dict[str, str | None])
    return tuple(Variable(name, value, encrypted, source) for name, value in values.items())


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise VariablesError(f"is not UTF-8 at byte {error.start} (line {line}); save it as UTF-8") from error


def _wrong_shape(text: str, problem: str) -> str:
    """Say which entry is wrong, counted from 1, or which name; never the value."""
    reason, _, where = problem.removesuffix("`").partition(" - at `$")
    entry = re.match(r"\[(\d+)\](?:\.(\w))?", where)
    if entry:
        field = f", `{entry[2]}`" if entry[2] else ""
        return f"entry {int(entry[1]) + 1}{field}: {reason}; an entry is {_SHAPE}"
    if where:
        return f"{_first_non_text(text)}: {reason}; every value is text or null"
    return f"{reason}; a variables file is a list of {_SHAPE}"


def _first_non_text(text: str) -> str:
    try:
        values = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return "a variable"
    wrong = (name for name, raw in values.items() if bytes(raw).lstrip()[:1] not in (b'"', b"n"))
    return f"variable {next(wrong, '?')!r}"


def _place(text: str, problem: str) -> str:
    """The parser's words with its byte offset turned into line and column; at the end if it ran out of text."""
    offset = re.search(r" \(byte (\d+)\)$", problem)
    before = text.encode()[: int(offset[1])].decode(errors="ignore") if offset else text
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    reason = problem[: offset.start()].removeprefix("JSON is malformed: ") if offset else "it ends too early"
    return f"{reason} near line {line}, column {column}"


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:64]}.", dir=path.parent)  # mode 0600
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _as_text(raw: str) -> str:
    return raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
