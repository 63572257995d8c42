"""Every error a user can meet, and the exit code each one ends the process with.

    DockwrightError                 1   a predictable failure
    ├── InputError                  3   a bundle, manifest or option that cannot be used as it is
    ├── VariablesError              4   a variables file, a password, or variables that are missing
    │   └── RecursionInVariables  101   a variable that refers to itself (as Calamari)
    ├── PackageError                5   not found, corrupt, or refused as hostile
    ├── TransformError              6   a configuration file that could not be changed as asked
    ├── BuildError                  7   the Dockerfile failed
    ├── RegistryError               8   refused, unreachable, or not what it claimed
    ├── ContainerError              9   exits at once, never healthy, or its port is taken
    │   └── HalfDoneError           *   failed, and what ran before could not be put back (the first failure's code)
    ├── HostError                  10   the engine or the machine it runs on cannot be used
    ├── SlotBusyError              11   another run holds the slot
    ├── PlanChangedError           12   what was planned is not what would happen now
    ├── StorageError               13   disk full, home not writable, journal unusable
    └── ScriptError                14   a hook or another script failed, or nothing here can run it
        └── ProgramError            *   what a one-off container ran has failed (with its own code, 1 to 255)

0 is success, 2 a wrong command line, 100 a defect in dockwright itself, 130 an interrupt (Ctrl-C), 143 a
termination.

A message says what failed, on what, and what to do next, in one line. `output` carries the last lines that a
build or a container printed; they are shown under the message.
"""

from __future__ import annotations

from collections.abc import Sequence

EXIT_DEFECT = 100
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class DockwrightError(Exception):
    """A failure that dockwright foresaw. Its text is one line for the user."""

    exit_code = 1

    def __init__(self, message: str, *, output: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.output = tuple(output)


class InputError(DockwrightError):
    """A bundle, a manifest or an option that cannot be used as it is."""

    exit_code = 3


class VariablesError(DockwrightError):
    """A variables file that cannot be read, or variables that are missing or wrong."""

    exit_code = 4


class RecursionInVariables(VariablesError):  # noqa: N818  the field's own word says it is an error
    """A variable that, through others, refers to itself."""

    exit_code = 101


class PackageError(DockwrightError):
    """A package that no feed has, that is corrupt, or that is refused."""

    exit_code = 5


class TransformError(DockwrightError):
    """A configuration file that could not be changed as asked; it is left untouched."""

    exit_code = 6


class BuildError(DockwrightError):
    """An image that could not be built."""

    exit_code = 7


class RegistryError(DockwrightError):
    """A registry that refuses, is gone, or does not hold what it should."""

    exit_code = 8


class ContainerError(DockwrightError):
    """A container that could not be started, or did not become healthy."""

    exit_code = 9


class HalfDoneError(ContainerError):
    """A replacement that failed, and could not be undone either; its guard will, or the next command on the slot."""

    def __init__(self, failure: BaseException, undoing: DockwrightError) -> None:
        first = str(failure) or type(failure).__name__
        why = "" if str(undoing) == first else f": {undoing}"
        super().__init__(
            f"{first}; and what ran before could not be put back{why}; "
            "a guard goes on trying for half an hour, and so does the next command on the slot",
            output=failure.output if isinstance(failure, DockwrightError) else (),
        )
        self.exit_code = getattr(failure, "exit_code", ContainerError.exit_code)


class HostError(DockwrightError):
    """A container engine, or the way to it, that cannot be used."""

    exit_code = 10


class SlotBusyError(DockwrightError):
    """Another run holds the slot."""

    exit_code = 11


class PlanChangedError(DockwrightError):
    """What was planned and what would happen now differ."""

    exit_code = 12


class StorageError(DockwrightError):
    """A disk that is full, a home that cannot be written, a journal that cannot be used."""

    exit_code = 13


class ScriptError(DockwrightError):
    """A script that failed, took too long, or is in a language that nothing here reads."""

    exit_code = 14


class ProgramError(ScriptError):
    """What a one-off container ran has ended with another code than 0; the run ends with the same one.

    Codes beyond a byte, as Windows has them, become 14, since no shell could tell them.
    """

    def __init__(self, message: str, code: int, *, output: Sequence[str] = ()) -> None:
        super().__init__(message, output=output)
        self.exit_code = code if 0 < code < 256 else ScriptError.exit_code
