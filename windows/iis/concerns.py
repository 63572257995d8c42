"""What of an ASP.NET site changes when its process ends with every deployment and runs as nobody in particular."""

from __future__ import annotations

from collections.abc import Iterator

from agent.transform.xml.nodes import Element
from windows.iis.elements import all_at, attribute, has, is_true, value_at


def framework_concerns(top: Element, *, inherits: bool) -> Iterator[str]:
    """Read off `<system.web>` and its neighbours, the gravest first. `inherits`: only what the file itself says."""
    yield from _encrypted(top)
    if has(top, "system.web/sessionState") or (has(top, "system.web") and not inherits):
        yield from _sessions(top)
    if has(top, "system.web/machineKey") or (has(top, "system.web") and not inherits):
        yield from _keys(top)
    yield from _identity(top)
    yield from _mail(top)
    yield from _addresses(top)
    if is_true(top, "system.web/trace", "enabled"):
        yield "<trace> is on: what trace.axd shows is for developers only"


def _encrypted(top: Element) -> Iterator[str]:
    sections = [section for section in _sections(top) if attribute(section, "configProtectionProvider")]
    for section in sections:
        yield (
            f"<{section.local}> is encrypted with a key of the old machine, which a container does not have: "
            "decrypt it there (aspnet_regiis -pdf), and give its secrets as sensitive variables"
        )


def _sections(top: Element) -> Iterator[Element]:
    for section in top.elements():
        yield section
        yield from section.elements()


def _sessions(top: Element) -> Iterator[str]:
    mode = value_at(top, "system.web/sessionState", "mode").lower()
    if mode in {"", "inproc"}:
        yield "sessions live in the process and end with each container; keep them in SQL Server or Redis"
    server = value_at(top, "system.web/sessionState", "stateConnectionString").lower()
    if mode == "stateserver" and (not server or "127.0.0.1" in server or "localhost" in server):
        yield "the session state server is this machine; a container needs one elsewhere: stateConnectionString"


def _keys(top: Element) -> Iterator[str]:
    key = value_at(top, "system.web/machineKey", "validationKey")
    if value_at(top, "system.web/machineKey", "configSource") or key.startswith("#{"):
        return
    if not key or key.lower().startswith("autogenerate"):
        yield (
            "there is no fixed <machineKey>: each container makes its own, so logins and forms end with it; write "
            "one with #{...} for its keys, and list web.config under substitute in sdi.yaml"
        )
    else:
        yield "<machineKey> stands in web.config: a secret; write #{...} there, and list the file under substitute"


def _identity(top: Element) -> Iterator[str]:
    if value_at(top, "system.web/identity", "userName"):
        yield "<identity> has an account with its password; use a group managed service account: run.credential-spec"
    elif is_true(top, "system.web/identity", "impersonate"):
        yield "<identity impersonate> acts as the visitor, which needs Windows authentication and the domain"


def _addresses(top: Element) -> Iterator[str]:
    called = [each for each in all_at(top, "system.serviceModel/client/endpoint") if attribute(each, "address")]
    names = [attribute(each, "name") or attribute(each, "contract") for each in called]
    if any("#{" not in attribute(each, "address") for each in called):
        yield (
            f"services that are called (<client>: {', '.join(dict.fromkeys(names))}): no variable of a name replaces "
            "their addresses; a transform does, or write #{...} there, and list the file under substitute"
        )


def _mail(top: Element) -> Iterator[str]:
    smtp = "system.net/mailSettings/smtp"
    if any(attribute(each, "password") for each in all_at(top, f"{smtp}/network")):
        yield "<smtp> has a password, which no name replaces; write #{...} there, and list the file under substitute"
    if value_at(top, f"{smtp}/network", "host").lower() in {"localhost", "127.0.0.1"}:
        yield "<smtp> sends to this machine, which in a container is the container; name the mail server"
    if value_at(top, smtp, "deliveryMethod").lower() not in {"", "network"}:
        yield "<smtp> drops mail into a folder, which nobody collects in a container; deliver over the network"
