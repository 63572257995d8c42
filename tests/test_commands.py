"""Every command that works without an engine, as a user types it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

DOCKWRIGHT = Path(sys.executable).with_name("dockwright")
SECRET = "correct horse"


def dockwright(*arguments: str | Path, text: str = "", home: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(DOCKWRIGHT), *map(str, arguments)],
        capture_output=True,
        text=True,
        input=text,
        check=False,
        env={**os.environ, "DOCKWRIGHT_HOME": home or "/nonexistent"},
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def variables(tmp_path: Path) -> Path:
    path = tmp_path / "variables.json"
    entries = [
        {"k": "Name", "v": "world", "s": False},
        {"k": "Password", "v": SECRET, "s": True},
        {"k": "Connection", "v": "Server=x;Password=#{Password}"},
    ]
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def test_evaluate_prints_what_a_template_comes_to(variables: Path) -> None:
    done = dockwright("evaluate", "Hello #{Name | ToUpper}", "--variables", variables)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello WORLD\n", "")


def test_evaluate_reads_standard_input_and_keeps_its_newlines(variables: Path) -> None:
    done = dockwright("evaluate", "-", "--variables", variables, text="a #{Name}\nb\n")
    assert done.stdout == "a world\nb\n"


def test_evaluate_complains_about_what_is_unresolved(variables: Path) -> None:
    done = dockwright("evaluate", "#{Nmae}", "--variables", variables)
    assert (done.returncode, done.stdout) == (4, "#{Nmae}\n")
    assert "#{Nmae}" in done.stderr


def test_evaluate_masks_secrets_unless_asked_to_reveal_them(variables: Path) -> None:
    hidden = dockwright("evaluate", "#{Connection}", "--variables", variables)
    assert SECRET not in hidden.stdout
    shown = dockwright("evaluate", "#{Connection}", "--variables", variables, "--reveal")
    assert shown.stdout == f"Server=x;Password={SECRET}\n"


def test_explain_says_where_a_value_came_from_and_hides_secrets(variables: Path) -> None:
    done = dockwright("evaluate", "#{Name} #{Connection} #{Nmae}", "--variables", variables, "--explain")
    assert "variables.json" in done.stdout
    assert "Name" in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_a_circle_of_variables_has_its_own_exit_code() -> None:
    done = dockwright("evaluate", "#{A}", "--set", "A=#{B}", "--set", "B=#{A}")
    assert done.returncode == 101
    assert len(done.stderr.splitlines()) == 1


def test_a_setting_without_a_value_is_refused() -> None:
    done = dockwright("evaluate", "x", "--set", "A")
    assert done.returncode == 3
    assert "--set A: write NAME=VALUE" in done.stderr


def test_variables_files_go_into_and_out_of_encryption(variables: Path, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("HumptyDumpty!\n", encoding="utf-8")
    sealed, opened = tmp_path / "sealed", tmp_path / "opened.json"
    assert dockwright("variables", "encrypt", variables, sealed, "--password-file", password).returncode == 0
    assert SECRET.encode() not in sealed.read_bytes()
    listed = dockwright("variables", "list", "--variables", sealed, "--variables-password-file", password)
    assert "world" in listed.stdout
    assert SECRET not in listed.stdout
    assert listed.stdout.count("********") == 2
    assert dockwright("variables", "decrypt", sealed, opened, "--password-file", password).returncode == 0
    assert json.loads(opened.read_text(encoding="utf-8"))[1] == {"k": "Password", "v": SECRET, "s": True}
    assert opened.stat().st_mode & 0o077 == 0


def test_a_wrong_password_is_one_line(variables: Path, tmp_path: Path) -> None:
    right, wrong, sealed = tmp_path / "right", tmp_path / "wrong", tmp_path / "sealed"
    right.write_text("one", encoding="utf-8")
    wrong.write_text("two", encoding="utf-8")
    dockwright("variables", "encrypt", variables, sealed, "--password-file", right)
    done = dockwright("variables", "list", "--variables", sealed, "--variables-password-file", wrong)
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1


def test_transform_shows_a_diff_first_and_changes_only_what_was_asked(tmp_path: Path, variables: Path) -> None:
    path = tmp_path / "site" / "appsettings.json"
    path.parent.mkdir()
    before = '{\n  // kept\n  "Name": "nobody",   "Password": "none"\n}\n'
    path.write_text(before, encoding="utf-8")
    arguments = ("transform", path.parent, "--structured", "*.json", "--variables", variables)
    shown = dockwright(*arguments, "--diff")
    assert '+  "Name": "world",   "Password": "********"' in shown.stdout
    assert path.read_text(encoding="utf-8") == before
    done = dockwright(*arguments)
    assert done.returncode == 0
    assert "2 changes in 1 file" in done.stdout
    assert SECRET not in done.stdout
    assert path.read_text(encoding="utf-8") == before.replace("nobody", "world").replace("none", SECRET)


def test_xdt_transforms_a_file(tmp_path: Path) -> None:
    source, rules, output = tmp_path / "web.config", tmp_path / "web.Release.config", tmp_path / "out.config"
    source.write_text('<configuration><compilation debug="true" /></configuration>', encoding="utf-8")
    rules.write_text(
        '<configuration xmlns:xdt="http://schemas.microsoft.com/XML-Document-Transform">'
        '<compilation xdt:Transform="RemoveAttributes(debug)" /></configuration>',
        encoding="utf-8",
    )
    assert dockwright("xdt", source, rules, "--output", output).returncode == 0
    assert "debug" not in output.read_text(encoding="utf-8")
    assert "debug" in source.read_text(encoding="utf-8")


def test_xdt_tells_logged_errors_from_fatal_ones(tmp_path: Path) -> None:
    source, rules, output = tmp_path / "web.config", tmp_path / "rules.config", tmp_path / "out.config"
    source.write_text("<configuration />", encoding="utf-8")
    rules.write_text(
        '<configuration xmlns:xdt="http://schemas.microsoft.com/XML-Document-Transform">'
        '<a><b xdt:Transform="Insert" /></a></configuration>',
        encoding="utf-8",
    )
    assert dockwright("xdt", source, rules, "--output", output).returncode == 1
    rules.write_text("<configuration", encoding="utf-8")
    output.unlink(missing_ok=True)
    done = dockwright("xdt", source, rules, "--output", output)
    assert done.returncode == 2
    assert not output.exists()


def test_pack_makes_the_same_bytes_again_and_extract_takes_them_apart(tmp_path: Path) -> None:
    folder = tmp_path / "App.1.2.3"
    folder.mkdir()
    (folder / "run.sh").write_text("echo hello\n", encoding="utf-8")
    (folder / "run.sh").chmod(0o755)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert dockwright("pack", folder, "--into", tmp_path / name).returncode == 0
        os.utime(folder / "run.sh", (1, 1))
    one, two = (tmp_path / name / "App.1.2.3.zip" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert dockwright("extract", one, tmp_path / "out").returncode == 0
    assert os.access(tmp_path / "out" / "run.sh", os.X_OK)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"step.yaml": "inputs: {}"}, "step.yaml: the key 'step' is required"),
        ({"step.yaml": "step: x\ninptus: {}"}, "unknown key 'inptus'; did you mean 'inputs'?"),
        ({"sdi.yaml": "packages: []"}, "has an sdi.yaml but no Dockerfile"),
        ({"sdi.yaml": "transfrom: {}", "Dockerfile": "FROM x"}, "did you mean 'transform'?"),
        ({"sdi.yaml": "packages: [{id: A, version: '1', extract-to: ../x}]"}, "leads out of the package; name"),
        ({"Dockerfile": "COPY . ."}, "has no FROM"),
    ],
)
def test_pack_refuses_what_a_deployment_would_refuse(files: dict[str, str], expected: str, tmp_path: Path) -> None:
    folder = tmp_path / "App.1.0.0"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    done = dockwright("pack", folder, "--into", tmp_path)
    assert done.returncode == 3
    assert expected in done.stderr
    assert not (tmp_path / "App.1.0.0.zip").exists()


def test_extract_refuses_a_package_that_leads_outside(tmp_path: Path) -> None:
    package = tmp_path / "Evil.1.0.0.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("../outside", "x")
    done = dockwright("extract", package, tmp_path / "out")
    assert done.returncode == 5
    assert "../outside" in done.stderr
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "outside").exists()


def test_history_of_a_new_home_is_empty_and_makes_nothing(tmp_path: Path) -> None:
    done = dockwright("history", home=str(tmp_path / "home"))
    assert done.returncode == 0
    assert "nothing was deployed yet" in done.stdout
    assert not (tmp_path / "home").exists()


def test_doctor_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    done = dockwright("doctor", "--host", "unix:///nowhere.sock", "--output", "json", home=str(tmp_path / "home"))
    assert done.returncode == 1
    document = json.loads(done.stdout)
    found = {finding["what"]: finding for finding in document["result"]}
    assert not found["engine"]["good"]
    assert "/nowhere.sock" in found["engine"]["found"]
    assert "start Docker" in found["engine"]["found"]
    assert found["home"]["good"]
    assert document["exit_code"] == 1


def test_a_host_of_no_known_kind_is_named_with_the_known_ones(tmp_path: Path) -> None:
    done = dockwright("doctor", "--host", "telnet://x", home=str(tmp_path / "home"))
    assert "hosts begin with " in done.stdout
    assert "unix://" in done.stdout
