"""An XDT transform from file to file, as the command `dockwright xdt` runs it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from agent.errors import TransformError
from agent.transform.xdt.document import Layout, XdtResult, transform_document


def xdt_files(source: Path, transform: Path, output: Path, *, layout: Layout = "reference") -> XdtResult:
    """Apply the transform in one file to another, and write the result to a third, or over the first.

    With errors in the log the result is written all the same, as the reference can; the caller's exit code tells.
    XdtFatal (nothing is written) if a file is not usable XML; TransformError if one cannot be read or written.
    """
    result = transform_document(
        _read(source), _read(transform), source_name=source.name, transform_name=transform.name, layout=layout
    )
    _write(output, result.output)
    return result


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TransformError(f"{path} cannot be read: {error.strerror}; check its name and permissions") from error


def _write(path: Path, data: bytes) -> None:
    """Beside the file and then in its place, with its mode, so that no reader sees half of it."""
    beside = None
    try:
        descriptor, beside = tempfile.mkstemp(prefix=".dockwright-", dir=path.parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        Path(beside).chmod(path.stat().st_mode & 0o7777 if path.exists() else 0o644)
        Path(beside).replace(path)
    except OSError as error:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
        raise TransformError(f"{path} cannot be written: {error.strerror}; check its folder") from error
