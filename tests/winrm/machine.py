"""A machine behind WinRM: its shells, what runs in them, and its quotas."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar
from uuid import uuid4
from xml.etree.ElementTree import Element

from tests.winrm import soap
from tests.winrm.processes import Process
from tests.winrm.programs import resolve
from tests.winrm.settings import Settings
from tests.winrm.soap import Asked, SoapFault

T = TypeVar("T")


@dataclass
class RemoteShell:
    environment: dict[str, str]
    commands: dict[str, Process] = field(default_factory=dict)
    used: float = field(default_factory=monotonic)
    active: int = 0
    idle_seconds: float = 0


@dataclass
class Machine:
    """`lines` are all command lines that were run; `environments` those of all shells."""

    settings: Settings
    shells: dict[str, RemoteShell] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    environments: list[dict[str, str]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def do(self, asked: Asked) -> bytes:
        """The answer to a request that was let in; SoapFault for one that fails."""
        self.reap()
        actions: dict[str, Callable[[Asked], bytes]] = {
            "Create": self._create,
            "Command": self._command,
            "Send": self._send,
            "Receive": self._receive,
            "Signal": self._signal,
            "Delete": self._delete,
            "Get": self._get,
        }
        if asked.action not in actions:
            raise SoapFault(soap.INTERNAL, f"no such action: {asked.action}")
        return actions[asked.action](asked)

    def running(self) -> list[Process]:
        """What runs now, in all shells."""
        with self._lock:
            return [p for shell in self.shells.values() for p in shell.commands.values() if p.running]

    def reap(self) -> None:
        """Idle shells end, as they do on Windows; one with a request in the air is not idle."""
        with self._lock:
            for shell_id, shell in list(self.shells.items()):
                if monotonic() - shell.used > shell.idle_seconds and not shell.active:
                    self._end(shell_id)

    def spoil(self, asked: Asked, *, shell: bool) -> None:
        """End the request's shell, or the input of the program that it is for."""
        with self._lock:
            found = self.shells.get(asked.shell_id)
            if found is not None and shell:
                self._end(asked.shell_id)
            elif found is not None:
                stream = asked.find("Stream")
                process = found.commands.get(stream.get("CommandId", "") if stream is not None else "")
                if process is not None:
                    process.end_input()

    def end_all(self) -> None:
        with self._lock:
            for shell_id in list(self.shells):
                self._end(shell_id)

    def _create(self, asked: Asked) -> bytes:
        with self._lock:
            if len(self.shells) >= self.settings.max_shells_per_user:
                raise SoapFault(
                    soap.TOO_MANY_SHELLS,
                    "The WS-Management service cannot process the request. This user is allowed a maximum number of "
                    f"{self.settings.max_shells_per_user} concurrent shells, which has been exceeded.",
                )
            element = asked.find("Shell")
            proposed = element.get("ShellId") if element is not None and self.settings.honours_ids else None
            shell_id = proposed or str(uuid4()).upper()
            variables = {v.get("Name", ""): v.text or "" for v in _each(asked, "Variable")}
            self.environments.append(variables)
            self.shells[shell_id] = RemoteShell(
                environment={**self._login_environment(), **variables},
                idle_seconds=min(
                    self.settings.idle_seconds, *(soap.seconds(i.text) for i in _each(asked, "IdleTimeOut")), 7200
                ),
            )
        return soap.answer(asked, "CreateResponse", soap.created(shell_id))

    def _command(self, asked: Asked) -> bytes:
        with self._lock:
            shell = self._shell(asked)
            element = asked.find("CommandLine")
            running = sum(process.running for process in shell.commands.values())
            if running >= self.settings.max_processes_per_shell:
                raise SoapFault(soap.TOO_MANY_OPERATIONS, "The maximum number of processes per shell is exceeded.")
            parts = [e.text or "" for name in ("Command", "Arguments") for e in _each(asked, name)]
            line = " ".join(part for part in parts if part)
            if len(line) > 8191:
                raise SoapFault(soap.LINE_TOO_LONG, "The filename or extension is too long.")
            self.lines.append(line)
            native = resolve(line, shell.environment, self.settings)
            proposed = element.get("CommandId") if element is not None and self.settings.honours_ids else None
            command_id = proposed or str(uuid4()).upper()
            folder = self.settings.root / "C"
            shell.commands[command_id] = Process(native.arguments, shell.environment, folder, native.output)
        body = f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"
        return soap.answer(asked, "CommandResponse", body)

    def _send(self, asked: Asked) -> bytes:
        stream = asked.find("Stream")
        if stream is None:
            raise SoapFault(soap.INTERNAL, "a Send without a Stream")
        end = stream.get("End", "false").lower() in ("true", "1")
        self._during(
            asked, stream.get("CommandId", ""), lambda process: process.send(asked.data, end, self._patience(asked))
        )
        return soap.answer(asked, "SendResponse", "<rsp:SendResponse/>")

    def _receive(self, asked: Asked) -> bytes:
        stream = asked.find("DesiredStream")
        command_id = stream.get("CommandId", "") if stream is not None else ""
        pieces, code = self._during(
            asked, command_id, lambda process: process.receive(asked.message_id, self._patience(asked))
        )
        return soap.answer(asked, "ReceiveResponse", soap.received(command_id, pieces, code))

    def _signal(self, asked: Asked) -> bytes:
        signal = asked.find("Signal")
        with self._lock:
            process = self._shell(asked).commands.pop(signal.get("CommandId", "") if signal is not None else "", None)
        if process is None:
            raise SoapFault(soap.NO_SUCH_SHELL, "The command was not found in the shell.")
        process.terminate()
        return soap.answer(asked, "SignalResponse", "<rsp:SignalResponse/>")

    def _delete(self, asked: Asked) -> bytes:
        with self._lock:
            self._shell(asked)
            self._end(asked.shell_id)
        return soap.answer(asked, "DeleteResponse", "")

    def _get(self, asked: Asked) -> bytes:
        if not self.settings.answers_configuration:
            raise SoapFault(soap.ACCESS_DENIED, "Access is denied.")
        return soap.answer(asked, "GetResponse", soap.configuration(self.settings.max_envelope_kb))

    def _during(self, asked: Asked, command_id: str, call: Callable[[Process], T]) -> T:
        with self._lock:
            shell = self._shell(asked)
            process = shell.commands.get(command_id)
            if process is None:
                raise SoapFault(soap.NO_SUCH_SHELL, "The command was not found in the shell.")
            shell.active += 1
        try:
            return call(process)
        finally:
            with self._lock:
                shell.active -= 1
                shell.used = monotonic()
                gone = asked.shell_id not in self.shells
            if gone:
                raise SoapFault(soap.ABORTED, "The I/O operation has been aborted: the shell was deleted.")

    def _shell(self, asked: Asked) -> RemoteShell:
        shell = self.shells.get(asked.shell_id)
        if shell is None:
            raise SoapFault(
                soap.NO_SUCH_SHELL,
                "The request for the Windows Remote Shell failed because the shell was not found on the server.",
            )
        shell.used = monotonic()
        return shell

    def _end(self, shell_id: str) -> None:
        for process in self.shells.pop(shell_id).commands.values():
            process.terminate()

    def _patience(self, asked: Asked) -> float:
        return min(asked.seconds, self.settings.operation_seconds)

    def _login_environment(self) -> dict[str, str]:
        temp = self.settings.root / "C" / "Users" / self.settings.user / "AppData" / "Local" / "Temp"
        temp.mkdir(parents=True, exist_ok=True)
        windows = f"C:\\Users\\{self.settings.user}"
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.settings.root / "C" / "Users" / self.settings.user),
            "USERPROFILE": windows,
            "TEMP": f"{windows}\\AppData\\Local\\Temp",
            "TMP": f"{windows}\\AppData\\Local\\Temp",
            "OS": "Windows_NT",
            **self.settings.environment,
        }


def _each(asked: Asked, name: str) -> list[Element]:
    return [] if asked.body is None else asked.body.findall(f".//{{{soap.SHELL}}}{name}")
