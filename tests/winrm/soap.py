"""WS-Man envelopes as a server reads and writes them."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
COMMAND_SHELL = f"{SHELL}/cmd"
CONFIGURATION = "http://schemas.microsoft.com/wbem/wsman/1/config"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"

OPERATION_TIMEOUT = 2150858793
NO_SUCH_SHELL = 2150858843
CONCURRENCY = 2150858802
TOO_MANY_SHELLS = 2150859173
TOO_MANY_OPERATIONS = 2150859174
BUSY = 170
BROKEN_PIPE = 109
ABORTED = 995
LINE_TOO_LONG = 206
ACCESS_DENIED = 5
INTERNAL = 1359


class SoapFault(Exception):  # noqa: N818  the protocol's own word
    """Answered as HTTP 500 with the code that Windows gives."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request; `action` is the last part of its URI. `data` is what a Send carries, decoded."""

    action: str
    resource: str
    message_id: str
    shell_id: str
    seconds: float
    body: ET.Element | None
    data: bytes = b""

    def find(self, name: str) -> ET.Element | None:
        return None if self.body is None else self.body.find(f".//{{{SHELL}}}{name}")


def read(message: bytes) -> Asked:
    """Long text, which only a Send has, is cut out before the parser sees it: it is most of the work."""
    message, text = _without_long_text(message)
    root = ET.fromstring(message)
    body = root.find(f"{{{ENVELOPE}}}Body")
    stream = None if body is None else body.find(f".//{{{SHELL}}}Stream")
    if stream is not None and stream.text:
        text = stream.text.encode()
    identify = root.find(f".//{{{IDENTITY}}}Identify") is not None
    return Asked(
        action="Identify" if identify else _header(root, ADDRESSING, "Action").rpartition("/")[2],
        resource=_header(root, WSMAN, "ResourceURI"),
        message_id=_header(root, ADDRESSING, "MessageID"),
        shell_id=next((s.text or "" for s in root.iter(f"{{{WSMAN}}}Selector") if s.get("Name") == "ShellId"), ""),
        seconds=seconds(_header(root, WSMAN, "OperationTimeout")),
        body=body,
        data=base64.b64decode(text) if text else b"",
    )


def answer(asked: Asked, name: str, body: str) -> bytes:
    action = f"{TRANSFER}/{name}" if asked.action in ("Create", "Delete", "Get") else f"{SHELL}/{name}"
    return _envelope(action, asked.message_id, body)


def fault(asked: Asked | None, problem: SoapFault) -> bytes:
    reason = escape(str(problem))
    timed_out = problem.code == OPERATION_TIMEOUT
    subcode = "w:TimedOut" if timed_out else "w:Concurrency" if problem.code == CONCURRENCY else "w:InternalError"
    body = (
        f"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{reason}</s:Text></s:Reason><s:Detail>'
        f'<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="{problem.code}"'
        f' Machine="windows-host"><f:Message>{reason}</f:Message></f:WSManFault></s:Detail></s:Fault>'
    )
    return _envelope(f"{WSMAN}/fault", asked.message_id if asked else "", body)


def created(shell_id: str) -> str:
    return (
        f"<x:ResourceCreated><a:Address>http://windows-host/wsman</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{COMMAND_SHELL}</w:ResourceURI><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{escape(shell_id)}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
        f"</x:ResourceCreated><rsp:Shell><rsp:ShellId>{escape(shell_id)}</rsp:ShellId></rsp:Shell>"
    )


def received(command_id: str, streams: Iterable[tuple[str, bytes]], exit_code: int | None) -> str:
    """What a process printed; with an exit code it has ended."""
    command = quoteattr(command_id)
    parts = [
        f'<rsp:Stream Name="{name}" CommandId={command}>{base64.b64encode(data).decode()}</rsp:Stream>'
        for name, data in streams
    ]
    if exit_code is None:
        state = f'<rsp:CommandState CommandId={command} State="{SHELL}/CommandState/Running"/>'
    else:
        parts += [f'<rsp:Stream Name="{name}" CommandId={command} End="true"/>' for name in ("stdout", "stderr")]
        state = (
            f'<rsp:CommandState CommandId={command} State="{SHELL}/CommandState/Done">'
            f"<rsp:ExitCode>{exit_code}</rsp:ExitCode></rsp:CommandState>"
        )
    return f"<rsp:ReceiveResponse>{''.join(parts)}{state}</rsp:ReceiveResponse>"


def configuration(max_envelope_kb: int) -> str:
    return (
        f'<cfg:Config xmlns:cfg="{CONFIGURATION}"><cfg:MaxEnvelopeSizekb>{max_envelope_kb}</cfg:MaxEnvelopeSizekb>'
        "<cfg:MaxTimeoutms>60000</cfg:MaxTimeoutms></cfg:Config>"
    )


def identity() -> bytes:
    body = (
        f'<i:IdentifyResponse xmlns:i="{IDENTITY}"><i:ProtocolVersion>{WSMAN}</i:ProtocolVersion>'
        "<i:ProductVendor>Dockwright tests</i:ProductVendor><i:ProductVersion>OS: 10.0.20348</i:ProductVersion>"
        "</i:IdentifyResponse>"
    )
    return f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Header/><s:Body>{body}</s:Body></s:Envelope>'.encode()


def seconds(duration: str | None) -> float:
    """`PT20S` or `PT20.000S`; 60 where nothing is said."""
    return float(duration.removeprefix("PT").removesuffix("S")) if duration and duration.endswith("S") else 60


def _without_long_text(message: bytes) -> tuple[bytes, bytes]:
    end = message.rfind(b"</", 0, message.find(b":Send>", len(message) - 200) - 1) if len(message) > 4096 else -1
    start = message.rfind(b">", 0, end) + 1 if end > 0 else 0
    if end - start < 4096:
        return message, b""
    return message[:start] + message[end:], message[start:end]


def _header(root: ET.Element, namespace: str, name: str) -> str:
    found = root.find(f"{{{ENVELOPE}}}Header/{{{namespace}}}{name}")
    return (found.text or "").strip() if found is not None else ""


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{ENVELOPE}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}"'
        f' xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}"><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{uuid4()}</a:MessageID>"
        "<a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()
