"""Every way in which a secret is likely to be spelled in a log.

A build prints a secret as it is, or inside JSON, XML, a shell command, a URL, an authorization header. Masking
looks for each of these spellings. They come without line breaks: the search ignores line breaks in the text
too, and so finds values of several lines, and encodings wrapped at any width, without a form for each.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Characters. Shorter values are not masked, as Tentacle: they would hit everywhere."""

PIECE = 1024
"""A longer value is masked piece by piece, so that the end of a text is undecided for at most this long."""

LONGEST = 128 * 1024
"""Of a value longer than this, only so much is masked."""

_THOROUGH = 4096  # a longer value is looked for in its usual spellings only, to bound time and memory

_NEVER_ESCAPED = re.compile(r"[A-Za-z0-9_.-]*")
_ARMOUR = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")


def forms(value: str) -> set[str]:
    """The spellings of `value`, each of at least `SHORTEST` characters and free of line breaks."""
    spell = _every_spelling if len(value) <= _THOROUGH else _usual_spellings
    found: set[str] = set()
    for part in _parts(value[:LONGEST]):
        for variant in _line_endings(part):
            found.update(map(flat, spell(variant)))
        found.update(_wrapped(part))
    return {each for each in found if len(each.strip()) >= SHORTEST}


def flat(text: str) -> str:
    """`text` without its line breaks."""
    return text.replace("\r", "").replace("\n", "")


def _parts(value: str) -> Iterator[str]:
    """The value in pieces, without the space around it, and line by line.

    The armour of a PEM file is no secret, and a line without letters or digits, such as a brace, says nothing.
    """
    for start in range(0, len(value), PIECE):
        yield value[start : start + PIECE]
    yield value.strip()[:PIECE]
    if "\n" in value or "\r" in value:
        for line in value.splitlines():
            if any(map(str.isalnum, line)) and not _ARMOUR.fullmatch(line.strip()):
                yield line.strip()[:PIECE]


def _line_endings(part: str) -> set[str]:
    unix = part.replace("\r\n", "\n").replace("\r", "\n")
    return {part, unix, unix.replace("\n", "\r\n")}


def _every_spelling(text: str) -> Iterator[str]:
    yield text
    if not _NEVER_ESCAPED.fullmatch(text):
        for spell in (_json, _markup, _shell, _code):
            yield from spell(text)
    for spell in (_url, _base64, _hex):
        yield from spell(text)


def _usual_spellings(text: str) -> Iterator[str]:
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield text.translate(_MARKUP[0])
    yield quote(text, safe="", errors="surrogatepass")
    yield from _base64(text)
    yield _bytes(text).hex()


def _json(text: str) -> Iterator[str]:
    """As Python, Go, JavaScript, Newtonsoft, System.Text.Json and PHP write it; and JSON in JSON."""
    plain = json.dumps(text, ensure_ascii=False)[1:-1]
    ascii_only = json.dumps(text)[1:-1]
    yield plain
    for spelled in (plain, ascii_only):
        yield spelled.replace("/", "\\/")
        yield json.dumps(spelled)[1:-1]
        yield json.dumps(spelled, ensure_ascii=False)[1:-1]
        for specials in ("", "<>&", "<>&'", "<>&'+`"):
            lower = re.sub(f"[{specials}]", _unicode_escape, spelled) if specials else spelled
            for final in (lower, lower.replace('\\"', "\\u0022")):
                yield final
                yield re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), final)


def _unicode_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


_MARKUP = tuple(
    str.maketrans({"&": "&amp;", "<": "&lt;", ">": right, **quotes})
    for right in ("&gt;", ">")
    for quotes in (
        {},
        {'"': "&quot;"},
        {'"': "&quot;", "'": "&apos;"},
        {'"': "&quot;", "'": "&#39;"},
        {'"': "&quot;", "'": "&#x27;"},
        {'"': "&#34;", "'": "&#39;"},
    )
)
_MARKUP_BREAKS = (
    str.maketrans({"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}),
    str.maketrans({"\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;"}),
    str.maketrans({"\n": "&#xa;", "\r": "&#xd;", "\t": "&#x9;"}),
)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def _markup(text: str) -> Iterator[str]:
    """XML and HTML, in text and in attributes."""
    for table in _MARKUP:
        plain = text.translate(table)
        for spelled in {plain, *(plain.translate(breaks) for breaks in _MARKUP_BREAKS)}:
            yield spelled
            if not spelled.isascii():
                for style in ("d", "X", "x"):
                    mark = "&#" if style == "d" else "&#x"
                    yield _NOT_ASCII.sub(lambda found: f"{mark}{ord(found[0]):{style}};", spelled)  # noqa: B023


def _shell(text: str) -> Iterator[str]:
    """POSIX shells, as people quote and as `set -x` and `printf %q` print; PowerShell; cmd."""
    yield text.replace("'", "'\\''")
    yield text.replace("'", "'\"'\"'")
    yield re.sub(r'([\\"$`])', r"\\\1", text)
    yield re.sub(r'([\\"$`!])', r"\\\1", text)
    yield re.sub(r"([^\w@%+=:,./\n-])", r"\\\1", text)
    yield re.sub(r"([^\w@%+=:./~#\n-])", r"\\\1", text)
    yield re.sub(r"([^\w@%+=:./\n-])", r"\\\1", text)
    yield re.sub(r"([\\']|[^ -~])", _c_escape, text)
    yield re.sub(r"(\\|'|[\x00-\x1f\x7f])", _c_escape, text)
    yield re.sub(r"(\\|'|[^ -~])", _octal, text)
    yield text.replace("'", "''")
    yield re.sub(r"([`\"$\n\r\t])", _backtick, text)
    yield re.sub(r"([\^&|<>()%!\"])", r"^\1", text)


_C = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BACKTICK = {"\n": "`n", "\r": "`r", "\t": "`t"}


def _c_escape(match: re.Match[str]) -> str:
    return _C.get(match[0]) or _wide_escape(match[0])


def _octal(match: re.Match[str]) -> str:
    return _C.get(match[0]) or "".join(f"\\{byte:03o}" for byte in _bytes(match[0]))


def _backtick(match: re.Match[str]) -> str:
    return _BACKTICK.get(match[0], "`" + match[0])


def _wide_escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def _code(text: str) -> Iterator[str]:
    """String literals of C#, C and Python; doubled quotes as in C#, CSV, SQL and YAML."""
    yield text.replace('"', '""')
    yield re.sub(r"([\\\"]|[\x00-\x1f\x7f])", _c_escape, text)
    yield re.sub(r"([\\\"]|[^ -~])", _c_escape, text)
    yield re.sub(r"([\\\"']|[^ -~])", _c_escape, text)
    yield re.sub(r"([\\\"'])", _c_escape, text)
    yield re.sub(r"([\\\"]|[^ -~])", _octal, text)
    yield repr(text)[1:-1]
    yield text.replace("\\", "\\\\")


def _url(text: str) -> Iterator[str]:
    """Percent encoding: as a path, a component, a form; as browsers and .NET do; every byte of it."""
    upper = [quote(text, safe=safe, errors="surrogatepass") for safe in _URL_SAFE]
    upper += [quote_plus(text, safe=safe, errors="surrogatepass") for safe in ("", "!()*", "*")]
    upper.append("".join(f"%{byte:02X}" for byte in _bytes(text)))
    for spelled in upper:
        yield spelled
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), spelled)


_URL_SAFE = ("", "/", "!'()*~", ";,/?:@&=+$-_.!~*'()#", "!$&'()*+,;=:@/", "!$&'()*+,;=")


def _base64(text: str) -> Iterator[str]:
    """The characters that the secret alone decides, wherever it starts; also as UTF-16, as PowerShell takes."""
    for raw in (_bytes(text), text.encode("utf-16-le", "surrogatepass")):
        for offset in range(3):
            encoded = base64.b64encode(b"\0" * offset + raw).decode()
            core = encoded[(0, 2, 3)[offset] : (offset + len(raw)) * 8 // 6]
            yield core
            yield core.replace("+", "-").replace("/", "_")


def _hex(text: str) -> Iterator[str]:
    raw = _bytes(text)
    yield raw.hex()
    yield raw.hex().upper()
    for separator in "-: ":
        yield raw.hex(separator)
        yield raw.hex(separator).upper()
    yield "".join(f"\\x{byte:02x}" for byte in raw)


def _wrapped(text: str) -> Iterator[str]:
    """Base64 of a long value line by line, for logs that put something before each line."""
    encoded = base64.b64encode(_bytes(text)).decode()
    for width in (64, 76):
        if len(encoded) > width:
            yield from (encoded[at : at + width] for at in range(0, len(encoded) - 15, width))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
