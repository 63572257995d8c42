import io
import tarfile

import pytest

from agent.containers.once import OneOff
from agent.errors import InputError
from agent.host import ContainerSpec
from agent.scripts import Language, Script
from agent.variables import Variables
from steps.run_image.execution import with_script

KNOWN = Variables.of({"Password": "s3cret-value", "env:PATH": "/bin"}, sensitive=["Password"])


def one_off(**spec: object) -> OneOff:
    return OneOff(spec=ContainerSpec(name="once", image="tools:1", **spec), time_limit=5)  # type: ignore[arg-type]


def script(language: Language, interpreter: str = "") -> Script:
    return Script(name="the script", language=language, text=b"exit 0", interpreter=interpreter)


def entries(made: OneOff) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(made.files)) as tar:
        return {entry.name: entry for entry in tar}


@pytest.mark.parametrize("language", ["sh", "python", "powershell"])
def test_the_script_takes_the_place_of_the_images_command(language: Language) -> None:
    made = with_script(one_off(command=("one", "two")), script(language), KNOWN, "linux")
    assert made.spec.entrypoint == ({"sh": "sh", "python": "python3", "powershell": "pwsh"}[language],)
    assert made.spec.command[-3].startswith("/.dockwright/script.")
    assert made.spec.command[-2:] == ("one", "two")
    assert made.root == "/"


def test_in_a_windows_container_paths_and_programs_are_its_own() -> None:
    made = with_script(one_off(), script("powershell"), KNOWN, "windows")
    assert made.spec.entrypoint == ("powershell",)
    assert made.spec.command[-2:] == ("C:\\.dockwright\\bootstrap.ps1", "C:\\.dockwright\\script.ps1")
    assert (made.root, made.spec.user) == ("C:\\", "")


def test_another_interpreter_may_be_named() -> None:
    assert with_script(one_off(), script("sh", "bash"), KNOWN, "linux").spec.entrypoint == ("bash",)


def test_nobody_but_the_user_may_read_the_files() -> None:
    made = with_script(one_off(user="1000:50"), script("sh"), KNOWN, "linux")
    found = entries(made)
    assert found[".dockwright"].mode == 0o700
    assert {entry.mode for name, entry in found.items() if "/" in name} == {0o600}
    assert {(entry.uid, entry.gid) for entry in found.values()} == {(1000, 50)}
    assert with_script(one_off(), script("sh"), KNOWN, "linux").spec.user == "0"


def test_a_user_by_name_is_refused_since_only_the_image_knows_the_number() -> None:
    with pytest.raises(InputError, match=r"inputs\.run\.user: 'app': .* give the user's number"):
        with_script(one_off(user="app"), script("sh"), KNOWN, "linux")


def test_what_can_be_inspected_holds_no_value_and_the_agents_environment_stays_here() -> None:
    made = with_script(one_off(), script("sh"), KNOWN, "linux")
    assert "s3cret" not in repr(made) + repr(vars(made.spec))
    assert b"s3cret-value" in made.files
    assert b"/bin" not in made.files
