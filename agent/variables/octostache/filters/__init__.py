"""Every built-in filter, by its lower-case name.

A filter is a function of the value on its left (None if there is none) and its options. None as a result means
that it cannot be used so, and makes the token be echoed. Filters raise nothing but VariablesError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import cast

Filter = Callable[[str | None, tuple[str, ...]], str | None]
Filters = Mapping[str, Filter]

CLOCK = frozenset({"nowdate", "nowdateutc"})
"""The filters whose results are of the moment."""

_PLACES: Mapping[str, str] = MappingProxyType(
    {
        "append": "text.append",
        "indent": "text.indent",
        "prepend": "text.prepend",
        "substring": "text.substring",
        "tolower": "text.to_lower",
        "toupper": "text.to_upper",
        "trim": "text.trim",
        "truncate": "text.truncate",
        "match": "patterns.match",
        "replace": "patterns.replace",
        "contains": "comparison.contains",
        "endswith": "comparison.ends_with",
        "startswith": "comparison.starts_with",
        "htmlescape": "escapes.html",
        "jsonescape": "escapes.json",
        "propertieskeyescape": "escapes.properties_key",
        "propertiesvalueescape": "escapes.properties_value",
        "uridataescape": "escapes.uri_data",
        "uriescape": "escapes.uri",
        "xmlescape": "escapes.xml",
        "yamldoublequoteescape": "escapes.yaml_double_quote",
        "yamlsinglequoteescape": "escapes.yaml_single_quote",
        "markdown": "markdown.to_html",
        "markdowntohtml": "markdown.to_html",
        "frombase64": "encoding.from_base64",
        "tobase64": "encoding.to_base64",
        "md5": "encoding.md5",
        "sha1": "encoding.sha1",
        "sha256": "encoding.sha256",
        "sha384": "encoding.sha384",
        "sha512": "encoding.sha512",
        "adddays": "dates.add_days",
        "addhours": "dates.add_hours",
        "format": "dates.format_value",
        "nowdate": "dates.now",
        "nowdateutc": "dates.now_utc",
        "uripart": "uris.part",
        "versionmajor": "versions.major",
        "versionmetadata": "versions.metadata",
        "versionminor": "versions.minor",
        "versionpatch": "versions.patch",
        "versionprerelease": "versions.pre_release",
        "versionprereleasecounter": "versions.pre_release_counter",
        "versionprereleaseprefix": "versions.pre_release_prefix",
        "versionrevision": "versions.revision",
    }
)
"""The module under this package and its function: most templates use few filters, so each is loaded when used."""


def built_in(name: str) -> Filter | None:
    """The filter of this lower-case name."""
    place = _PLACES.get(name)
    if place is None:
        return None
    module, _, function = place.partition(".")
    return cast(Filter, getattr(import_module(f"{__name__}.{module}"), function))


def filter_names() -> tuple[str, ...]:
    """The names of the built-in filters, in lower case."""
    return (*_PLACES, "null")
