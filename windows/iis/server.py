"""What a site asks of IIS itself: optional features, sections that IIS locks, modules that are no part of it.

The ASP.NET base images have the features of IIS's default and no more, and lock what a new IIS locks; a site that
uses more answers every request with error 500.19 until the image has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.transform.xml.nodes import Element
from windows.iis.elements import all_at, attribute, has, is_true, value_at

_SERVER = "system.webServer"
_BY_WINDOWS = "security/authentication/windowsAuthentication"
_FEATURES = {
    "security/authentication/windowsAuthentication": "IIS-WindowsAuthentication",
    "security/authentication/basicAuthentication": "IIS-BasicAuthentication",
    "security/authentication/digestAuthentication": "IIS-DigestAuthentication",
    "security/authentication/iisClientCertificateMappingAuthentication": "IIS-IISCertificateMappingAuthentication",
    "security/authorization": "IIS-URLAuthorization",
    "security/ipSecurity": "IIS-IPSecurity",
    "security/dynamicIpSecurity": "IIS-IPSecurity",
    "applicationInitialization": "IIS-ApplicationInit",
    "asp": "IIS-ASP",
    "httpRedirect": "IIS-HttpRedirect",
    "serverSideInclude": "IIS-ServerSideIncludes",
    "webSocket": "IIS-WebSockets",
}
_LOCKED = (
    "asp",
    "security/access",
    "security/authentication/anonymousAuthentication",
    "security/authentication/basicAuthentication",
    "security/authentication/digestAuthentication",
    "security/authentication/iisClientCertificateMappingAuthentication",
    "security/authentication/windowsAuthentication",
    "security/dynamicIpSecurity",
    "security/ipSecurity",
    "serverRuntime",
    "serverSideInclude",
    "webSocket",
)
_FOR_ALL_SITES = ("globalModules", "httpCompression", "isapiFilters")


@dataclass(frozen=True, kw_only=True)
class ServerNeeds:
    """IIS's features by their names for DISM, sections to unlock, and what a person must see to."""

    rewrites: bool = False
    windows_authentication: bool = False
    leaves_it_to_iis: bool = False
    """Windows authentication is asked for, and nothing here turns it on."""
    features: tuple[str, ...] = ()
    unlocked: tuple[str, ...] = ()
    concerns: tuple[str, ...] = ()


def server_needs(top: Element) -> ServerNeeds:
    """Read off `<system.webServer>`, and from the authentication that `<system.web>` asks for."""
    features = {name for path, name in _FEATURES.items() if has(top, f"{_SERVER}/{path}")}
    if by_windows := _windows_authentication(top):
        features.add("IIS-WindowsAuthentication")
    if is_true(top, f"{_SERVER}/urlCompression", "doDynamicCompression"):
        features.add("IIS-HttpCompressionDynamic")
    if any("CgiModule" in attribute(each, "modules") for each in all_at(top, f"{_SERVER}/handlers/add")):
        features.add("IIS-CGI")
    return ServerNeeds(
        rewrites=has(top, f"{_SERVER}/rewrite"),
        windows_authentication=by_windows,
        leaves_it_to_iis=by_windows and not has(top, f"{_SERVER}/{_BY_WINDOWS}"),
        features=tuple(sorted(features)),
        unlocked=tuple(f"{_SERVER}/{path}" for path in _LOCKED if has(top, f"{_SERVER}/{path}")),
        concerns=tuple(_concerns(top)),
    )


def _windows_authentication(top: Element) -> bool:
    mode = value_at(top, "system.web/authentication", "mode").lower()
    return mode == "windows" or is_true(top, f"{_SERVER}/{_BY_WINDOWS}", "enabled")


def _concerns(top: Element) -> Iterator[str]:
    programs = [each for each in all_at(top, f"{_SERVER}/handlers/add") if _is_foreign(each)]
    for each in programs:
        yield (
            f"the handler '{attribute(each, 'name')}' starts {attribute(each, 'scriptProcessor').partition('|')[0]}, "
            "which is no part of Windows; the Dockerfile must install it"
        )
    native = [
        attribute(each, "name") for each in all_at(top, f"{_SERVER}/modules/add") if not attribute(each, "type")
    ]
    if native:
        yield f"native modules of IIS ({', '.join(native)}): the Dockerfile must install what is no part of IIS"
    for path in _FOR_ALL_SITES:
        if has(top, f"{_SERVER}/{path}"):
            yield f"<{path}> belongs to the whole server: set it in the Dockerfile with appcmd, not in web.config"
    if "ssl" in value_at(top, f"{_SERVER}/security/access", "sslFlags").lower():
        yield "<access sslFlags> refuses plain http, which is what the container serves behind its proxy; take it out"
    if _redirects_to_https(top):
        yield (
            "a rewrite rule sends http to https: behind a proxy that ends TLS it never ends; "
            "let the rule ask for {HTTP_X_FORWARDED_PROTO}"
        )


def _is_foreign(handler: Element) -> bool:
    program = attribute(handler, "scriptProcessor").lower()
    return bool(program) and not program.startswith(("%windir%", "%systemroot%", "c:\\windows\\"))


def _redirects_to_https(top: Element) -> bool:
    for rule in all_at(top, f"{_SERVER}/rewrite/rules/rule"):
        asked = [attribute(each, "input") for part in rule.elements() for each in part.elements()]
        if "{HTTPS}" in (text.upper() for text in asked):
            return True
    return False
