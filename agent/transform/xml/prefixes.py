"""Prefixes for nodes that are new in a document: those that .NET's writer would choose.

While a tree is written, `Prefixes` follows the declarations in scope. For a new name it finds the prefix, and it
remembers what the start tag must still declare.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from agent.transform.xml.namespaces import XML


class _Binding(msgspec.Struct):
    prefix: str
    uri: str
    declared: bool


class _Frame(msgspec.Struct):
    bottom: int
    default: str
    state: Literal["unset", "inherited", "pending", "written"]
    generated: int = 0


class Prefixes:
    """The declarations in scope. `keep` prefers a name's own prefix where it is bound to its namespace."""

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep
        self._bindings: list[_Binding] = []
        self._frames = [_Frame(0, "", "unset")]

    @property
    def are_plain(self) -> bool:
        """Whether no prefix is bound, so that names without one stand as they are."""
        return not self._bindings

    def enter(self) -> None:
        """Begin an element of the document whose name stands as it is."""
        above = self._frames[-1]
        state: Literal["unset", "inherited"] = "unset" if above.state == "unset" else "inherited"
        self._frames.append(_Frame(len(self._bindings), above.default, state))

    def leave(self) -> None:
        """End an element."""
        frame = self._frames.pop()
        del self._bindings[frame.bottom :]

    def element(self, prefix: str, local: str, uri: str) -> str:
        """Begin an element: the name to write for it."""
        if uri and not (self._keep and self._means(prefix, uri)):
            found = self._lookup(uri)
            prefix = prefix if found is None else found
        self.enter()
        if not prefix or not uri:
            self._bind_default(uri, declared=False)
            return local
        self._bind(prefix, uri, declared=False)
        return f"{prefix}:{local}"

    def attribute(self, prefix: str, local: str, uri: str) -> str:
        """The name to write for an attribute that is no declaration."""
        if not uri:
            return local
        if uri == XML:
            return f"xml:{local}"
        if prefix and self._index(prefix) >= self._frames[-1].bottom:
            prefix = prefix if self._keep and self._means(prefix, uri) else ""
        found = self._find(uri)
        if found is not None and prefix in {"", found}:
            return f"{found}:{local}"
        if not prefix:
            frame = self._frames[-1]
            frame.generated += 1
            prefix = f"d{len(self._frames) - 1}p{frame.generated}"
        self._bind(prefix, uri, declared=False)
        return f"{prefix}:{local}"

    def declare(self, prefix: str, uri: str) -> None:
        """Note a declaration that has been written."""
        if prefix:
            self._bind(prefix, uri, declared=True)
        else:
            self._bind_default(uri, declared=True)

    def missing(self) -> list[tuple[str, str]]:
        """What the start tag must still declare, as (attribute, uri)."""
        frame = self._frames[-1]
        found = []
        for binding in reversed(self._bindings[frame.bottom :]):
            if not binding.declared:
                found.append((f"xmlns:{binding.prefix}", binding.uri))
                binding.declared = True
        if frame.state == "pending":
            if frame.default != self._frames[-2].default:
                found.append(("xmlns", frame.default))
            frame.state = "written"
        return found

    def _means(self, prefix: str, uri: str) -> bool:
        if not prefix:
            return self._frames[-1].default == uri
        index = self._index(prefix)
        return index >= 0 and self._bindings[index].uri == uri

    def _lookup(self, uri: str) -> str | None:
        found = self._find(uri)
        if found is None and self._frames[-1].default == uri:
            return ""
        return found

    def _find(self, uri: str) -> str | None:
        for index in range(len(self._bindings) - 1, -1, -1):
            binding = self._bindings[index]
            if binding.uri == uri and self._index(binding.prefix) == index:
                return binding.prefix
        return None

    def _index(self, prefix: str) -> int:
        for index in range(len(self._bindings) - 1, -1, -1):
            if self._bindings[index].prefix == prefix:
                return index
        return -1

    def _bind(self, prefix: str, uri: str, *, declared: bool) -> None:
        index = self._index(prefix)
        if index >= 0 and self._bindings[index].uri == uri:
            if declared:
                self._bindings[index].declared = True
            return
        if declared and index >= self._frames[-1].bottom:
            self._bindings[index].declared = True
        self._bindings.append(_Binding(prefix, uri, declared))

    def _bind_default(self, uri: str, *, declared: bool) -> None:
        frame = self._frames[-1]
        if frame.state in {"unset", "inherited"}:
            frame.default = uri
        frame.state = "written" if declared else "pending"
