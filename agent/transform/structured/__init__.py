"""Structured configuration variables: values replaced inside JSON, YAML, XML and properties files."""

from __future__ import annotations

from agent.transform.structured.service import apply

__all__ = ["apply"]
