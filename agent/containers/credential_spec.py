"""For a gMSA: which credential spec a Windows container gets, a name in the engine's own places or the document.

A wrong one shows only as a start that fails, with the old container stopped by then.
"""

from __future__ import annotations

import json
import re

from agent.errors import InputError


def check_credential_spec(text: str) -> None:
    """InputError for what is neither a file's name, `file://NAME`, `registry://NAME`, nor the document itself."""
    if text.startswith(("{", "raw://")):
        try:
            document = json.loads(text.removeprefix("raw://"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"run.credential-spec: it is no JSON: {error}") from error
        if not isinstance(document, dict) or "CmsPlugins" not in document:
            raise InputError("run.credential-spec: it has no CmsPlugins; write what New-CredentialSpec has made")
        return
    scheme, separator, name = text.rpartition("://")
    if scheme not in ("", "file", "registry") or (separator and not name):
        raise InputError(
            "run.credential-spec: write the name of a file, file://NAME, registry://NAME, or the document itself"
        )
    if re.search(r"[/\\:\0]|^\.\.?$", name):
        raise InputError(
            f"run.credential-spec: '{name}' must be the name alone; "
            "the file belongs into CredentialSpecs in the engine's data folder"
        )
