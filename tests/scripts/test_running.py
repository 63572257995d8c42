import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.errors import ScriptError
from agent.scripts import Language, Listener, Script, ScriptRun, run_script
from tests.scripts.hearing import Heard, heard

NASTY = "a'b\"c$HOME `id` \\n %s\n  second line\t!é*"


def run(
    text: str,
    language: Language,
    folder: Path,
    *,
    limit: float = 20,
    named: dict[str, str] | None = None,
    **variables: str,
) -> tuple[int, Heard]:
    said = heard()
    listener = Listener(said.report)
    script = Script(name="the script", language=language, text=text.encode())
    known = list({**variables, **(named or {})}.items())
    asked = ScriptRun(script=script, folder=folder, private=folder / "private", variables=known, time_limit=limit)
    try:
        code = run_script(asked, listener.line)
    finally:
        listener.close()
        said.listener = listener
    return code, said


SH = """
value=$(get_octopusvariable nasty)
set_octopusvariable Same "$value"
set_octopusvariable Secret "$(get_octopusvariable SECRET)" -sensitive
new_octopusartifact some/report.txt
new_octopusartifact /there/x.log "Its log"
update_progress 50 half
write_highlight look here
echo plain [$(get_octopusvariable Missing)]
"""
PYTHON = """
set_octopusvariable("Same", get_octopusvariable("nasty"))
set_octopusvariable("Secret", octopusvariables["SECRET"], sensitive=True)
createartifact("some/report.txt")
createartifact("/there/x.log", "Its log")
updateprogress(50, "half")
printhighlight("look here")
print("plain [%s]" % octopusvariables.get("Missing", ""))
"""


@pytest.mark.parametrize(("language", "text"), [("sh", SH), ("python", PYTHON)])
def test_a_script_reads_variables_and_says_what_it_has_made(language: Language, text: str, tmp_path: Path) -> None:
    code, said = run(text, language, tmp_path, Nasty=NASTY, Secret="s3cret-value")
    assert code == 0, said.text
    assert said.listener.outputs == {"Same": NASTY}
    assert said.listener.sensitive == {"Secret": "s3cret-value"}
    assert [(each.path, each.name) for each in said.listener.artifacts] == [
        (str(tmp_path / "some/report.txt"), "report.txt"),
        ("/there/x.log", "Its log"),
    ]
    assert "look here" in said.messages
    assert "plain []" in said.output
    assert "s3cret-value" not in said.text


@pytest.mark.parametrize(
    "value",
    ["", "'", "''", "\\", "a\nb", "$(touch canary)", "`touch canary`", "%d%n", "-n", " a ", "ü€😀", "*", "\r\n"],
)
@pytest.mark.parametrize("language", ["sh", "python"])
def test_any_value_comes_back_as_it_was(value: str, language: Language, tmp_path: Path) -> None:
    text = {
        "sh": "v=$(get_octopusvariable 'It''s [a] name'; printf x); set_octopusvariable Back \"${v%x}\"",
        "python": "set_octopusvariable('Back', octopusvariables['Its [a] name'])",
    }[language]
    _, said = run(text, language, tmp_path, named={"Its [a] name": value})
    assert said.listener.outputs == {"Back": value}
    assert not list(tmp_path.rglob("canary"))


@pytest.mark.parametrize(
    ("language", "text"), [("sh", "fail_step 'no disk'; echo on"), ("python", "failstep('no disk'); print('on')")]
)
def test_a_script_may_say_why_it_failed(language: Language, text: str, tmp_path: Path) -> None:
    code, said = run(text, language, tmp_path)
    assert (code, said.listener.result) == (1, "no disk")
    assert "on" not in said.output


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_strict_shell_script_may_use_every_function(shell: str, tmp_path: Path) -> None:
    text = SH.replace('"$(get_octopusvariable SECRET)"', "x") + "update_progress 60; write_verbose; fail_step"
    options = "set -euo pipefail\n" if shell == "bash" else "set -eu\n"
    said = heard()
    said.listener = Listener(said.report)
    script = Script(name="x", language="sh", text=(options + text).encode(), interpreter=shell)
    asked = ScriptRun(
        script=script, folder=tmp_path, private=tmp_path / "p", variables=[("Nasty", NASTY)], time_limit=20
    )
    assert run_script(asked, said.listener.line) == 1
    assert said.listener.outputs == {"Same": NASTY}
    assert "unbound" not in said.text
    assert "not set" not in said.text


def test_the_exit_code_is_the_scripts_own(tmp_path: Path) -> None:
    assert run("exit 42", "sh", tmp_path)[0] == 42
    assert run("import sys; sys.exit(42)", "python", tmp_path)[0] == 42
    assert run("kill -9 $$", "sh", tmp_path)[0] == 137


def test_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    code, said = run("\ufeffif true; then\r\n  echo fine\r\nfi\r\n", "sh", tmp_path)
    assert (code, said.output) == (0, ["fine"])


def test_no_value_is_in_the_environment_an_argument_or_a_file(tmp_path: Path) -> None:
    look = """
import json, os
seen = []
for path in ["/proc/self/environ", "/proc/self/cmdline", f"/proc/{os.getppid()}/cmdline"]:
    seen.append(open(path, "rb").read().decode("utf-8", "replace"))
for folder, _, files in os.walk(os.getcwd()):
    seen += [open(os.path.join(folder, name), "rb").read().decode("utf-8", "replace") for name in files]
print(json.dumps(["s3" + "cret" in text or "czNj" + "cmV0" in text for text in seen]))
"""
    code, said = run(look, "python", tmp_path, Password="s3cret-value")
    assert code == 0
    assert json.loads(said.output[0]).count(True) == 0
    assert list((tmp_path / "private").iterdir()) == []


def test_the_agents_own_settings_are_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKWRIGHT_HOST_PASSWORD", "p4ssword")
    _, said = run("env", "sh", tmp_path)
    assert "p4ssword" not in said.text


def test_time_ends_the_script_and_all_that_it_has_started(tmp_path: Path) -> None:
    text = "sleep 300 & echo $! > child; echo begun; sleep 300"
    with pytest.raises(ScriptError, match=r"had not ended after 0.7 s and was killed"):
        run(text, "sh", tmp_path, limit=0.7)
    assert ended(int((tmp_path / "child").read_text()))
    assert list((tmp_path / "private").iterdir()) == []


def test_a_service_that_a_script_starts_lives_on(tmp_path: Path) -> None:
    began = time.monotonic()
    code, said = run("sleep 30 & echo $! > child; echo started", "sh", tmp_path)
    assert (code, said.output) == (0, ["started"])
    assert time.monotonic() - began < 15
    child = int((tmp_path / "child").read_text())
    assert not ended(child)
    os.kill(child, 9)


def test_a_language_that_nothing_here_reads_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ScriptError, match="there is no pwsh or powershell here; install one"):
        run("Write-Host hello", "powershell", tmp_path)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_the_shell_bootstrap_needs_no_more_than_posix(shell: str, tmp_path: Path) -> None:
    from agent.scripts import kit

    prepared = kit(Script(name="x", language="sh", text=SH.encode()), [("Nasty", NASTY), ("Secret", "s3cret-value")])
    for name, content in prepared.files.items():
        (tmp_path / name).write_bytes(content)
    command = [*([shell, "sh"] if shell == "busybox" else [shell]), *prepared.arguments(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    listener = Listener(heard().report)
    for line in done.stdout.splitlines():
        listener.line(line)
    assert listener.outputs == {"Same": NASTY}


def ended(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_a_script_of_python_sees_itself_as_the_program(tmp_path: Path) -> None:
    code, said = run("import sys; print(__name__, sys.argv[0].endswith('script.py'))", "python", tmp_path)
    assert (code, said.output) == (0, ["__main__ True"]), sys.executable
