"""What goes wrong on the way to a Windows machine, in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.errors import HostError
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
CONCURRENCY = 2150859113
TOO_MANY_SHELLS = 2150859173
TOO_MANY_OPERATIONS = 2150859174
LINE_TOO_LONG = 206
ACCESS_DENIED = 5

_ADVICE = {
    TOO_MANY_SHELLS: "the user has as many shells open there as MaxShellsPerUser allows; end some, or raise it",
    TOO_MANY_OPERATIONS: "the user has more going on there than its quotas allow; try again later, or raise them",
    ACCESS_DENIED: "the user may not do that; make it an administrator there, or a member of Remote Management Users",
    LINE_TOO_LONG: "the command line is too long for Windows",
}


def refused(target: Target, response: Response) -> HostError:
    """The machine does not let us in. It never says why: a wrong password looks like a locked account."""
    offered = response.headers.get("WWW-Authenticate", "")
    who = target.user or "the certificate's user"
    if target.login == "basic" and "basic" not in offered.lower():
        return HostError(
            f"{target.url}: basic logins are refused there"
            + (" over http" if target.scheme == "http" else "")
            + f"; it offers {_kinds(offered)}: use transport=ntlm, or allow Basic in winrm/config/service/auth"
        )
    if target.login == "ntlm" and "negotiate" not in offered.lower() and "ntlm" not in offered.lower():
        return HostError(
            f"{target.url}: NTLM is refused there; it offers {_kinds(offered)}: choose another transport="
        )
    if target.login == "certificate":
        return HostError(
            f"{target.url}: the certificate is not mapped to a user there (winrm/config/service/certmapping)"
        )
    if target.login == "kerberos":
        return HostError(f"{target.url}: the Kerberos ticket of {who} is refused; see klist, or run kinit again")
    return HostError(
        f"{target.url}: {who} is refused: the password is wrong, or the account is locked, expired or not allowed to "
        "log on from the network"
    )


def raise_hopeless(target: Target, error: BaseException) -> None:
    """HostError for what another attempt cannot mend; nothing for the rest."""
    text = " ".join(str(cause) for cause in _causes(error))
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        detail = re.search(r"certificate verify failed: ([^()]*)", text)
        why = detail[1].strip() if detail else "it is for another name"
        raise HostError(
            f"{target.url}: its certificate is not trusted: {why}; give its authority with ca=FILE"
        ) from error
    if any(
        type(cause).__module__.partition(".")[0] in ("gssapi", "kerberos", "winkerberos") for cause in _causes(error)
    ) or (target.login == "kerberos" and re.search(r"(?i)kerberos|krb|ticket|credentials cache", text)):
        raise HostError(f"{target.url}: {_ticket(text)}") from error
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


def _ticket(text: str) -> str:
    if re.search(r"(?i)expired", text):
        return "the Kerberos ticket has expired; run kinit, then try again"
    if re.search(r"(?i)no (kerberos )?credentials|credentials cache|no credentials", text):
        return "there is no Kerberos ticket; run kinit, then try again"
    if re.search(r"(?i)revoked|locked", text):
        return "the account is locked or disabled, says Kerberos"
    return f"the login by Kerberos failed: {' '.join(text.split())[:300]}"
