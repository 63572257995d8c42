"""`xdt:Import`, which loads .NET code in the reference. Here it can be checked, and never followed.

Assemblies of the framework itself bring no transforms; importing them does nothing, here as there.
"""

from __future__ import annotations

import re
from typing import Final

from agent.transform.xdt.report import Problem
from agent.transform.xdt.run import Run
from agent.transform.xml.nodes import Element

_KNOWN: Final = frozenset({"path", "assembly", "namespace"})
_FRAMEWORK = re.compile(r"(mscorlib|netstandard|System(\.\w+)*|Microsoft\.Web\.XmlTransform)(\s*,.*)?", re.DOTALL)


def check_import(run: Run, element: Element) -> None:
    """Problem if the import is malformed, or names code that is not .NET's own."""
    values: dict[str, str] = {}
    for attribute in element.attributes:
        if attribute.declares is not None:
            continue
        if attribute.name not in _KNOWN:
            raise Problem(f"Import tag does not support '{attribute.name}' attribute", run.in_transform(attribute))
        values[attribute.name] = attribute.value
    path, assembly = values.get("path", ""), values.get("assembly", "")
    if path and assembly:
        raise Problem("Import tag cannot have both a 'path' and an 'assembly'")
    if not path and not assembly:
        raise Problem("Import tag must have a 'path' or an 'assembly'")
    if not values.get("namespace"):
        raise Problem("Import tag must have a 'namespace'")
    if path or not _FRAMEWORK.fullmatch(assembly):
        raise Problem(
            f"Could not load '{path or assembly}': custom transforms are .NET code, which is not run here; "
            "use the built-in ones"
        )
