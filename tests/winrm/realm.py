"""A Kerberos realm on loopback: MIT's key distribution centre, a user, and the keys of a service on localhost.

The client's library is a Python package without binaries, so it is compiled once, into a folder that only the
clients of these tests look into: `python -m tests.winrm.client` in a process of its own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from linux.sandbox.install import can_install, install, program

REALM = "DOCKWRIGHT.TEST"

_PACKAGES = {
    "krb5kdc": "krb5-kdc",
    "kadmin.local": "krb5-admin-server",
    "kinit": "krb5-user",
    "krb5-config": "libkrb5-dev",
    "gcc": "gcc",
    "faketime": "faketime",
}
_CLIENT = """\
[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
[realms]
{realm} = {{
  kdc = 127.0.0.1:{port}
}}
"""
_CENTRE = """\
[kdcdefaults]
kdc_listen = 127.0.0.1:{port}
kdc_tcp_listen = 127.0.0.1:{port}
[realms]
{realm} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  max_life = 1d
}}
"""


@dataclass(frozen=True, kw_only=True)
class Realm:
    """`folder` holds its configuration and database, `library` the client's package."""

    folder: Path
    library: Path

    @property
    def keytab(self) -> Path:
        return self.folder / "machine.keytab"

    def environment(self, cache: Path, **more: str) -> dict[str, str]:
        """For a process of the realm whose tickets are in `cache`."""
        paths = os.pathsep.join([str(self.library), str(Path.cwd())])
        own = {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{cache}",
            "PYTHONPATH": paths,
            "LC_ALL": "C",
        }
        return {**os.environ, **own, **more}

    def add(self, name: str, password: str = "", *options: str) -> None:
        """A principal: a user, or with a random key a service, whose key goes to the keytab too."""
        if password:
            words = " ".join(options)
            return self._administer(f"addprinc {words} {name}", f"{password}\n{password}\n")
        self._administer(f"addprinc -randkey {name}")
        return self._administer(f"ktadd -k {self.keytab} {name}")

    def change(self, name: str, *options: str) -> None:
        self._administer(f"modprinc {' '.join(options)} {name}")

    def get_ticket(self, user: str, password: str, cache: Path, *options: str) -> None:
        _run(["kinit", *options, user], self.environment(cache), f"{password}\n")

    def _administer(self, request: str, answers: str = "") -> None:
        _run(["kadmin.local", "-r", REALM, "-q", request], self.environment(self.folder / "cache"), answers)


@contextmanager
def serving(folder: Path) -> Iterator[Realm]:
    """A realm with the service HTTP/localhost, while the context lasts."""
    _install()
    realm = Realm(folder=folder, library=_client_library(folder / "library"))
    port = _free_port()
    for name, text in (("krb5.conf", _CLIENT), ("kdc.conf", _CENTRE)):
        (folder / name).write_text(text.format(realm=REALM, port=port, folder=folder), encoding="ascii")
    environment = realm.environment(folder / "cache")
    _run(["kdb5_util", "-r", REALM, "create", "-s", "-W", "-P", "master"], environment)
    realm.add("HTTP/localhost")
    log = (folder / "kdc.log").open("wb")
    centre = subprocess.Popen([_path("krb5kdc"), "-n", "-r", REALM], env=environment, stdout=log, stderr=log)
    try:
        _await(centre, port)
        yield realm
    finally:
        centre.terminate()
        centre.wait(30)
        log.close()


def _install() -> None:
    missing = [package for name, package in _PACKAGES.items() if program(name) is None]
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append("python3-dev")
    if missing:
        assert can_install(), f"the tests of Kerberos need {' '.join(missing)}; install them"
        install([*missing, *(["libc6-dev"] if "gcc" in missing else [])], say=lambda _line: None)


def _client_library(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    _run([*command, "--disable-pip-version-check", "pykerberos>=1.2.4,<2"], os.environ)
    return folder


def _run(command: list[str], environment: Mapping[str, str], given: str = "") -> None:
    done = subprocess.run(
        [_path(command[0]), *command[1:]],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        timeout=240,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-2000:]}"


def _path(name: str) -> str:
    return program(name) or name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(centre: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert centre.poll() is None, "krb5kdc has ended"
            assert time.monotonic() < deadline, "krb5kdc does not listen"
            time.sleep(0.05)
