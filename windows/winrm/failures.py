"""What goes wrong on the way to a Windows machine, in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.errors import HostError
from windows.winrm import certificates
from windows.winrm.target import Target

if TYPE_CHECKING:
    from requests import Response

NO_OUTPUT_YET = 2150858793
NO_SUCH_SHELL = 2150858843
SLOW_PROVIDER = 1460
BUSY = 170
BROKEN_PIPE = 109
ABORTED = 995
PENDING = 1359
CONCURRENCY = 2150858802
RECEIVING = 2150859047
TOO_MANY_SHELLS = 2150859173
TOO_MANY_OPERATIONS = 2150859174
LINE_TOO_LONG = 206
ACCESS_DENIED = 5
NO_SHELLS_ALLOWED = 2150859180
ENVELOPE_LIMIT = 2150858825

GONE = (
    NO_SUCH_SHELL,
    ABORTED,
    1223,  # cancelled
    2147943418,  # the user's registry is unloaded: no shell of before can be used
    2150859087,  # the command is closed
    2150859204,  # the shell is disconnected
    2150859212,  # the command is terminated
    2150859230,  # the stream is disconnected
)
"""The shell, or the command in it, is not there any more."""

UNKNOWN = (*GONE, 87, 2147942487, 2150858810, 2150858813)
"""As an answer about one command: there is none with that id. Windows says it of any parameter or selector."""

FULL = (TOO_MANY_OPERATIONS, 2150858815, 2150859239, 2150859240, 2150859241)
"""One of the quotas for commands is used up: the shell's own, which another shell may have left, or the user's."""

TOO_LARGE = (ENVELOPE_LIMIT, 2150858790, 2150858805, 2150858823, 2150858824)
"""What HTTP 413 says, too."""

NOT_YET = (NO_OUTPUT_YET, SLOW_PROVIDER)
"""The machine's time for a request was over; what it was asked for may still come."""

BY_NAME = {
    "TimedOut": NO_OUTPUT_YET,
    "InvalidSelectors": NO_SUCH_SHELL,
    "Concurrency": CONCURRENCY,
    "QuotaLimit": TOO_MANY_OPERATIONS,
    "AccessDenied": ACCESS_DENIED,
    "EncodingLimit": ENVELOPE_LIMIT,
}
"""The subcodes of WS-Management (DSP0226), for servers that give no number of Windows."""

_MANY_SHELLS = "the user has as many shells open there as MaxShellsPerUser allows; end some, or raise it"
_MUCH_GOING_ON = "the user has more going on there than its quotas allow; try again later, or raise them"
_MANY_USERS = "as many users have shells open there as MaxConcurrentUsers allows; try again later, or raise it"
_ADVICE = {
    **dict.fromkeys(FULL, _MUCH_GOING_ON),
    **dict.fromkeys((TOO_MANY_SHELLS, 2150859236, 2150859238), _MANY_SHELLS),
    **dict.fromkeys((2150859179, 2150859237), _MANY_USERS),
    NO_SHELLS_ALLOWED: "remote shells are off there; run there: winrm set winrm/config/winrs "
    "'@{AllowRemoteShellAccess=\"true\"}'",
    ACCESS_DENIED: "the user may not do that; make it an administrator there, or a member of Remote Management Users",
    LINE_TOO_LONG: "the command line is too long for Windows",
}


def refused(target: Target, response: Response, why: str = "") -> HostError:
    """The machine does not let us in. It seldom says why: a wrong password looks like a locked account."""
    offered = response.headers.get("WWW-Authenticate", "")
    who = target.user or "the user"
    scheme, subject, allowing = _OFFERS[target.login]
    if why:
        return HostError(f"{target.url}: {who} is refused: {why}")
    if scheme and not re.search(scheme, offered, re.IGNORECASE):
        over = " over http" if target.login == "basic" and target.scheme == "http" else ""
        return HostError(f"{target.url}: {subject} refused there{over}; it offers {_kinds(offered)}: {allowing}")
    if target.login == "certificate":
        return HostError(
            f"{target.url}: the certificate {target.certificate} is not accepted there: it has expired, its "
            "authority is not trusted, or it is mapped to no user (winrm/config/service/certmapping)"
        )
    if target.login == "kerberos":
        return HostError(
            f"{target.url}: the machine refuses the Kerberos ticket of {who}: the clocks differ by minutes, the user "
            f"may not log on there, or {_TAPPED}; see klist and timedatectl"
        )
    tapped = f"; or {_TAPPED}" if target.login == "ntlm" and target.scheme == "https" else ""
    return HostError(
        f"{target.url}: {who} is refused: the password is wrong, or the account is locked, expired or not allowed to "
        f"log on from the network{tapped}"
    )


_TAPPED = "something on the way shows another certificate than the machine's"

_OFFERS = {
    "ntlm": ("negotiate|ntlm", "NTLM is", "choose another transport="),
    "kerberos": ("negotiate|kerberos", "Kerberos is", "choose another transport="),
    "credssp": ("credssp", "CredSSP is", "choose another transport=, or run there: Enable-WSManCredSSP -Role Server"),
    "basic": ("basic", "basic logins are", "use transport=ntlm, or allow Basic in winrm/config/service/auth"),
    "certificate": ("", "", ""),
}


class OversizedError(OSError):
    """More than any answer of WinRM."""


def raise_hopeless(target: Target, error: BaseException) -> None:
    """HostError for what another attempt cannot mend; nothing for the rest."""
    causes = list(_causes(error))
    certificates.raise_refused(target, error, " ".join(str(cause) for cause in causes))
    if any(type(cause).__name__ == "MutualAuthenticationError" for cause in causes):
        raise HostError(f"{target.url}: what answers cannot prove by Kerberos that it is {target.host}") from error
    if isinstance(error, OversizedError):
        raise HostError(
            f"{target.url}: {target.endpoint} sends more than any answer of WinRM; see the port"
        ) from error
    if isinstance(error, PermissionError):
        raise HostError(f"{target.url}: the login by {target.login} is refused: {error}") from error


def unreachable(target: Target, reason: str) -> HostError:
    """Nothing has ever answered."""
    return HostError(
        f"{target.url}: WinRM cannot be reached at {target.host}:{target.port}: {reason}; is it on there (winrm "
        "quickconfig), and does the firewall let it through?"
    )


def something_else(target: Target) -> HostError:
    return HostError(f"{target.url}: a server answers at {target.endpoint}, but it is not WinRM; see the port")


def explained(target: Target, doing: str, code: int, text: str) -> HostError:
    """A fault that ends what was being done."""
    return HostError(f"{target.url}: cannot {doing}: {_ADVICE.get(code) or text or f'fault {code}'}")


def too_small(target: Target, doing: str) -> HostError:
    return HostError(
        f"{target.url}: cannot {doing}: the machine takes only very small messages; raise MaxEnvelopeSizekb there "
        "(500 is usual)"
    )


def reason(error: BaseException) -> str:
    """The innermost cause, short."""
    text = str(list(_causes(error))[-1]) or type(error).__name__
    return re.sub(r"^\[Errno -?\d+\] |^.*?object at 0x[0-9a-f]+>: ", "", " ".join(text.split()))[:300]


def is_unheard(error: BaseException) -> bool:
    """Whether not one byte of the request left: no connection came about."""
    from requests import ConnectTimeout
    from urllib3.exceptions import NewConnectionError

    return any(isinstance(cause, ConnectTimeout | NewConnectionError) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it wraps: requests and urllib3 keep causes in `args` and `reason` too."""
    seen: set[int] = set()
    current: object = error
    while isinstance(current, BaseException) and id(current) not in seen:
        seen.add(id(current))
        yield current
        inner = [getattr(current, "reason", None), *current.args, current.__cause__, current.__context__]
        current = next((each for each in inner if isinstance(each, BaseException) and id(each) not in seen), None)


def _kinds(offered: str) -> str:
    kinds = [part.split()[0] for part in offered.split(",") if part.strip()]
    return ", ".join(dict.fromkeys(kinds)) or "nothing"
