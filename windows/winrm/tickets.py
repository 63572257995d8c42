"""Kerberos tickets: the one that is there, or one for the password; and why there is none."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from agent.errors import HostError
from windows.winrm.target import Target

_LIBRARY = "libgssapi_krb5.so.2"
_KINIT_SECONDS = 30


@contextmanager
def ticket(target: Target) -> Iterator[None]:
    """For a password, a ticket of its own is this thread's while the context lasts; else the user's is taken."""
    if not target.password:
        yield
        return
    if shutil.which("kinit") is None:
        raise HostError(
            f"{target.url}: a login by Kerberos with a password needs kinit, which is not installed; install it "
            "(Debian: krb5-user), or use transport=ntlm"
        )
    with TemporaryDirectory(prefix="dockwright-ticket-") as folder:
        cache = f"FILE:{folder}/cache"
        with _default_cache(_library(target), cache):
            _get_ticket(target, cache)
            yield


def unobtainable(target: Target, text: str) -> HostError:
    """There is no ticket for the machine, for a reason that MIT's library gives in English."""
    for pattern, advice in _ADVICE.items():
        if re.search(pattern, text, re.IGNORECASE):
            return HostError(f"{target.url}: {advice.format(user=target.user or 'USER', host=target.host)}")
    return HostError(f"{target.url}: the login by Kerberos failed: {' '.join(text.split())[:300]}")


_ADVICE = {
    r"password .*expired|must change": (
        "the password of {user} has expired, says Kerberos; change it (kpasswd {user}), then try again"
    ),
    r"ticket expired": "the Kerberos ticket of {user} has expired; run kinit {user}, then try again",
    r"no kerberos credentials|credentials cache|no credentials|can't find client principal": (
        "there is no Kerberos ticket for {user}; run kinit {user}, or give the password by --host-password-file"
    ),
    r"password incorrect|preauthentication failed|decrypt integrity": (
        "{user} is refused by Kerberos: the password is wrong"
    ),
    r"revoked|locked": "the account of {user} is locked or disabled, says Kerberos",
    r"client .*not found": "Kerberos knows no user {user}; a user of another realm is given as name%40REALM",
    r"server .*not found": (
        "Kerberos knows no service HTTP/{host}; give the machine's full name as its domain has it, no address or "
        "alias, or register that name: setspn -S HTTP/{host} COMPUTER"
    ),
    r"find kdc|contact any kdc|resolve .*kdc|default realm|determine realm": (
        "no Kerberos server for the realm of {user} answers; see the realm (name%40REALM, in capitals) and [realms] "
        "in /etc/krb5.conf"
    ),
    r"clock skew": "the clocks of this machine and of Kerberos differ by minutes; set the clock (timedatectl)",
}


def _get_ticket(target: Target, cache: str) -> None:
    try:
        done = subprocess.run(
            ["kinit", "-c", cache, "--", target.user],
            input=f"{target.password}\n".encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"LC_ALL": "C"},
            timeout=_KINIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise HostError(
            f"{target.url}: Kerberos has not answered within {_KINIT_SECONDS} s; is it reachable?"
        ) from error
    if done.returncode:
        raise unobtainable(target, done.stdout.decode("utf-8", "replace"))


def _library(target: Target) -> Any:
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise HostError(
            f"{target.url}: a login by Kerberos with a password needs MIT's library, {_LIBRARY}; on other systems, "
            "get a ticket beforehand and give no password"
        ) from error


@contextmanager
def _default_cache(library: Any, name: str) -> Iterator[None]:
    """The library keeps this name for each thread; a variable of the environment would be everybody's."""
    minor, before = ctypes.c_uint32(), ctypes.c_char_p()
    library.gss_krb5_ccache_name(ctypes.byref(minor), name.encode(), ctypes.byref(before))
    try:
        yield
    finally:
        library.gss_krb5_ccache_name(ctypes.byref(minor), None, None)
