"""The execution container: a script is put into a container that was created for it, with its variables.

They are in files for one user alone, in the container's own layer, which is removed with it: neither in the
environment nor among the arguments or labels, where an inspection would show them.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath, PurePosixPath, PureWindowsPath

from agent.containers.once import OneOff
from agent.errors import InputError
from agent.host import ContainerSpec, OperatingSystem
from agent.scripts import Language, Script, kit, readable_variables
from agent.variables import Variables

_FOLDER = ".dockwright"
_INTERPRETERS: Mapping[OperatingSystem, Mapping[Language, str]] = {
    "linux": {"sh": "sh", "python": "python3", "powershell": "pwsh"},
    "windows": {"sh": "sh", "python": "python", "powershell": "powershell"},
}
_NUMERIC = re.compile(r"(\d{1,10})(?::(\d{1,10}))?")


def with_script(one_off: OneOff, script: Script, variables: Variables, system: OperatingSystem) -> OneOff:
    """The one-off, running the script in place of the image's own command.

    In Linux it runs as root (of the container) unless `run.user` names another by its number, who then owns the
    files. InputError for a user by name, since only the image knows the number.
    """
    spec = one_off.spec
    prepared = kit(script, readable_variables(variables, environment=False))
    root: PurePath = PurePosixPath("/") if system == "linux" else PureWindowsPath("C:\\")
    owner = _owner(spec) if system == "linux" else (0, 0)
    command = (*prepared.arguments(root / _FOLDER), *spec.command)
    return replace(
        one_off,
        root=str(root),
        files=_archive(prepared.files, owner),
        spec=replace(
            spec,
            entrypoint=(script.interpreter or _INTERPRETERS[system][script.language],),
            command=command,
            user=(spec.user or "0") if system == "linux" else spec.user,
        ),
    )


def _owner(spec: ContainerSpec) -> tuple[int, int]:
    if not spec.user or spec.user == "root":
        return 0, 0
    found = _NUMERIC.fullmatch(spec.user)
    if found is None:
        raise InputError(
            f"step.yaml: inputs.run.user: '{spec.user}': a script's variables are for its user alone, "
            "so give the user's number"
        )
    return int(found[1]), int(found[2] or 0)


def _archive(files: Mapping[str, bytes], owner: tuple[int, int]) -> bytes:
    """The kit's folder as a tar; nobody but the owner may look inside."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folder = tarfile.TarInfo(_FOLDER)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        folder.uid, folder.gid = owner
        tar.addfile(folder)
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{_FOLDER}/{name}")
            entry.size, entry.mode = len(content), 0o600
            entry.uid, entry.gid = owner
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
