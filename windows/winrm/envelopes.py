"""The WS-Man messages of a remote shell, written and read as text (MS-WSMV).

They are made here and not by pywinrm, since a request must be sent again with the same id, the ids of shells and
commands are chosen by us, and the input of a build is large.
"""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from windows.winrm import failures

OPERATION_SECONDS = 20
"""How long the machine may hold a request before it says that there is nothing yet."""

IDLE_SECONDS = 300
"""After so long without a request the machine ends a shell: that of an agent that was killed, too."""

ANSWER_SIZE = 512_000
"""The largest answer, in bytes, that we ask for."""

UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML has no way to say."""

_ESCAPED = {"\r": "&#13;"}
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_COMMAND_SHELL = f"{_SHELL}/cmd"
_TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
_CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"


@dataclass(frozen=True, kw_only=True)
class Received:
    """What a command printed since the last time; `exit_code` once it has ended."""

    output: bytes
    error: bytes
    exit_code: int | None


def new_id() -> str:
    return str(uuid4()).upper()


def create(shell_id: str, environment: Mapping[str, str]) -> bytes:
    """A shell whose programs get these variables besides their own. It speaks UTF-8.

    ValueError for a value that XML cannot hold.
    """
    for name, value in environment.items():
        if UNWRITABLE.search(name + value):
            raise ValueError(f"the variable {name} has a character that WinRM cannot carry")
    variables = "".join(
        f"<rsp:Variable Name={quoteattr(name)}>{escape(value, _ESCAPED)}</rsp:Variable>"
        for name, value in environment.items()
    )
    body = (
        f"<rsp:Shell ShellId={quoteattr(shell_id)}><rsp:IdleTimeOut>PT{IDLE_SECONDS}S</rsp:IdleTimeOut>"
        + (f"<rsp:Environment>{variables}</rsp:Environment>" if variables else "")
        + "<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
    )
    options = {"WINRS_NOPROFILE": "FALSE", "WINRS_CODEPAGE": "65001"}
    return _envelope(f"{_TRANSFER}/Create", body, options=options)


def command(shell_id: str, command_id: str, line: tuple[str, str]) -> bytes:
    """Start a program; `line` is its name and its arguments, quoted. Its standard input is a pipe, not a console."""
    program, arguments = line
    body = (
        f"<rsp:CommandLine CommandId={quoteattr(command_id)}><rsp:Command>{escape(program)}</rsp:Command>"
        + (f"<rsp:Arguments>{escape(arguments)}</rsp:Arguments>" if arguments else "")
        + "</rsp:CommandLine>"
    )
    options = {"WINRS_CONSOLEMODE_STDIN": "FALSE", "WINRS_SKIP_CMD_SHELL": "FALSE"}
    return _envelope(f"{_SHELL}/Command", body, shell_id, options=options)


def send(shell_id: str, command_id: str, data: bytes, *, end: bool) -> bytes:
    head = f'<rsp:Send><rsp:Stream Name="stdin" CommandId={quoteattr(command_id)} End="{str(end).lower()}">'
    envelope = _envelope(f"{_SHELL}/Send", f"{head}\0</rsp:Stream></rsp:Send>", shell_id)
    before, _, after = envelope.partition(b"\0")
    return b"".join((before, base64.b64encode(data), after))


def receive(shell_id: str, command_id: str, message_id: str, seconds: int) -> bytes:
    """Wait for output. The same message id, asked again, gives the same output again."""
    body = (
        f"<rsp:Receive><rsp:DesiredStream CommandId={quoteattr(command_id)}>stdout stderr</rsp:DesiredStream>"
        "</rsp:Receive>"
    )
    return _envelope(f"{_SHELL}/Receive", body, shell_id, message_id=message_id, seconds=seconds)


def terminate(shell_id: str, command_id: str) -> bytes:
    """End a command, or free what is kept of one that has ended."""
    body = (
        f"<rsp:Signal CommandId={quoteattr(command_id)}><rsp:Code>{_SHELL}/signal/terminate</rsp:Code></rsp:Signal>"
    )
    return _envelope(f"{_SHELL}/Signal", body, shell_id)


def delete(shell_id: str) -> bytes:
    return _envelope(f"{_TRANSFER}/Delete", "", shell_id)


def get_configuration() -> bytes:
    return _envelope(f"{_TRANSFER}/Get", "", resource=_CONFIG)


def read_shell_id(answer: bytes) -> str:
    """ValueError, here and below, for an answer that is none. Some servers give a selector, some the shell itself."""
    for element in _parsed(answer).iter():
        named = element.get("Name") == "ShellId" or element.tag == f"{{{_SHELL}}}ShellId"
        if named and element.text and element.text.strip():
            return element.text.strip()
    raise ValueError("a new shell without an id")


def read_command_id(answer: bytes) -> str:
    found = _parsed(answer).find(f".//{{{_SHELL}}}CommandId")
    if found is None or not (found.text or "").strip():
        raise ValueError("a new command without an id")
    return (found.text or "").strip()


def read_received(answer: bytes) -> Received:
    root = _parsed(answer)
    pieces: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    for stream in root.iter(f"{{{_SHELL}}}Stream"):
        pieces.setdefault(stream.get("Name", ""), []).append(base64.b64decode(stream.text or ""))
    state = root.find(f".//{{{_SHELL}}}CommandState")
    done = state is not None and state.get("State", "").endswith("/Done")
    code = state.find(f"{{{_SHELL}}}ExitCode") if state is not None else None
    return Received(
        output=b"".join(pieces["stdout"]),
        error=b"".join(pieces["stderr"]),
        exit_code=int((code.text if code is not None else "") or 1) if done else None,
    )


def read_envelope_kb(answer: bytes) -> int:
    found = _parsed(answer).find(f".//{{{_CONFIG}}}MaxEnvelopeSizekb")
    if found is None or not found.text:
        raise ValueError("a configuration without MaxEnvelopeSizekb")
    return int(found.text)


def read_fault(answer: bytes) -> tuple[int, str] | None:
    """The code and the reason, on one line; None for what is no SOAP fault.

    Where no number is given, the code is that of Windows for the fault's subcode, or 0.
    """
    try:
        fault = _parsed(answer).find(f".//{{{_SOAP}}}Fault")
    except ValueError:
        return None
    if fault is None:
        return None
    detail = fault.find(f".//{{{_FAULT}}}WSManFault")
    code = detail.get("Code", "") if detail is not None else ""
    message = detail.find(f"{{{_FAULT}}}Message") if detail is not None else None
    reason = fault.find(f".//{{{_SOAP}}}Text")
    said = next(each for each in (message, reason, fault) if each is not None)
    text = " ".join("".join(said.itertext()).split())
    return (int(code) & 0xFFFFFFFF if re.fullmatch("-?[0-9]{1,10}", code) else _code_by_name(fault)), text


def _code_by_name(fault: ET.Element) -> int:
    name = fault.findtext(f".//{{{_SOAP}}}Subcode/{{{_SOAP}}}Value", "")
    return failures.BY_NAME.get(name.rpartition(":")[2].strip(), 0)


def _parsed(answer: bytes) -> ET.Element:
    try:
        if b"<!DOCTYPE" in answer:
            raise ValueError("a message with a DOCTYPE")
        return ET.fromstring(answer)  # noqa: S314  entities need a DOCTYPE
    except ET.ParseError as error:
        raise ValueError(f"not XML: {error}") from error


def _envelope(  # noqa: PLR0913  the parts of a WS-Man header
    action: str,
    body: str,
    shell_id: str = "",
    *,
    message_id: str = "",
    seconds: int = OPERATION_SECONDS,
    resource: str = _COMMAND_SHELL,
    options: Mapping[str, str] | None = None,
) -> bytes:
    selector = f'<w:SelectorSet><w:Selector Name="ShellId">{escape(shell_id)}</w:Selector></w:SelectorSet>'
    chosen = "".join(f'<w:Option Name="{name}">{value}</w:Option>' for name, value in (options or {}).items())
    return (
        f'<?xml version="1.0" encoding="utf-8"?><env:Envelope xmlns:env="{_SOAP}"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        ' xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"'
        ' xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"'
        f' xmlns:rsp="{_SHELL}"><env:Header><a:To>http://windows-host:5985/wsman</a:To>'
        f'<a:ReplyTo><a:Address env:mustUnderstand="true">{_ANONYMOUS}</a:Address></a:ReplyTo>'
        f'<w:MaxEnvelopeSize env:mustUnderstand="true">{ANSWER_SIZE}</w:MaxEnvelopeSize>'
        f"<a:MessageID>uuid:{message_id or new_id()}</a:MessageID>"
        '<w:Locale env:mustUnderstand="false" xml:lang="en-US"/>'
        '<p:DataLocale env:mustUnderstand="false" xml:lang="en-US"/>'
        f"<w:OperationTimeout>PT{seconds}S</w:OperationTimeout>"
        f'<w:ResourceURI env:mustUnderstand="true">{resource}</w:ResourceURI>'
        f'<a:Action env:mustUnderstand="true">{action}</a:Action>'
        f"{selector if shell_id else ''}{f'<w:OptionSet>{chosen}</w:OptionSet>' if chosen else ''}"
        f"</env:Header><env:Body>{body}</env:Body></env:Envelope>"
    ).encode()
