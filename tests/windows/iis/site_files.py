"""Sites as they lie on IIS servers, in a few lines each."""

from __future__ import annotations

import json
from pathlib import Path

ASSEMBLY = {
    runtime: b"MZ" + bytes(100) + b"BSJB" + bytes(12) + f"{runtime}.30319\0\0".encode()
    for runtime in ("v2.0", "v4.0")
}


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """A folder with these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def web_config(version: str = "4.8", web: str = "", rest: str = "", server: str = "") -> str:
    """A .NET Framework site's; `web` and `server` go into the sections of these names."""
    target = f' targetFramework="{version}"' if version else ""
    return (
        f"<configuration>{rest}<system.web><compilation{target}/>{web}</system.web>"
        f"<system.webServer>{server}</system.webServer></configuration>"
    )


def core_config(process: str = "dotnet", arguments: str = r".\Shop.dll", inner: str = "", server: str = "") -> str:
    """What publishing an ASP.NET Core site writes."""
    module = f'<aspNetCore processPath="{process}" arguments="{arguments}">{inner}</aspNetCore>'
    return (
        f'<configuration><location path="."><system.webServer>{module}{server}</system.webServer></location>'
        "</configuration>"
    )


def runtime(version: str = "8.0.1", name: str = "Microsoft.AspNetCore.App", **options: object) -> str:
    """A *.runtimeconfig.json."""
    return json.dumps({"runtimeOptions": {"framework": {"name": name, "version": version}, **options}})


def with_own_runtime(version: str = "8.0.3") -> str:
    """That of a self-contained program."""
    included = [{"name": "Microsoft.NETCore.App", "version": version}]
    return json.dumps({"runtimeOptions": {"includedFrameworks": included}})
