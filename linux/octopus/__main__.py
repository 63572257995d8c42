"""Writes the templates anew from the scripts."""

from __future__ import annotations

from linux.octopus.template import SCRIPTS, file, text

if __name__ == "__main__":
    for syntax in SCRIPTS:
        file(syntax).write_text(text(syntax), encoding="utf-8")
