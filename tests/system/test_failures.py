"""Bad input and bad luck: one clear line, the right exit code, and what served before serves again."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import eventually
from tests.system.shop import DOCKWRIGHT, Finished, Site, dockwright, environment, free_port, guards_of, pack


@pytest.fixture
def running(site: Site) -> Site:
    """A site whose first deployment serves."""
    assert site.run(1).code == 0
    return site


def assert_failed(done: Finished, code: int, *expected: str) -> None:
    assert done.code == code, done.stdout + done.stderr
    assert "\n" not in done.error
    for text in expected:
        assert text in done.error


def assert_first_serves(site: Site) -> None:
    assert site.page() == "<h1>Test Deployments-1</h1>\n"
    assert [container.name for container in site.containers()] == [f"{site.name}-deployments-1"]


def test_all_missing_variables_are_named_at_once(site: Site) -> None:
    site.step = site.step.replace("1.0.0}", '"#{Shop.Version}"}')
    done = site.run(1, Octopus_Release_Number="", Octopus_Project_Id="", Greeting="#{Nobody}")
    assert_failed(done, 4, "Octopus.Release.Number", "Octopus.Project.Id", "#{Shop.Version}", "#{Nobody}")


def test_a_bundle_that_is_not_there(site: Site) -> None:
    arguments = site.arguments("run", 1, "--output", "json")
    assert_failed(dockwright(*arguments), 3, "there is no bundle at", "give the folder or .zip")


@pytest.mark.parametrize(
    ("change", "code", "expected"),
    [
        (("source-image", "source-imagine"), 3, "no step is called 'source-imagine'; did you mean 'source-image'?"),
        (("  registry:", "  regsitry:"), 3, "unknown key 'regsitry'; did you mean 'registry'?"),
        (("    health:", "    helth:"), 3, "unknown key 'helth'; did you mean 'health'?"),
        (("timeout: 5", "timeout: soon"), 3, "run: health.timeout: expected a number, got text"),
        (("source: Shop.Sdi", "source: Shop.Sid"), 3, "no package is named 'Shop.Sid'"),
        (("version: 1.0.0", "version: 3.0.0"), 5, "1.0.0"),
        (('"127.0.0.1:', '"localhost:'), 3, "is not a port; write HOST:CONTAINER"),
        (('image: "#{Site.Name}"', 'image: "Not An Image"'), 3, "no image reference"),
    ],
)
def test_a_wrong_manifest_says_what_and_where(
    change: tuple[str, str], code: int, expected: str, running: Site
) -> None:
    running.step = running.step.replace(*change)
    assert_failed(running.run(2), code, expected)
    assert_first_serves(running)


def test_a_package_with_paths_outside_is_refused(running: Site) -> None:
    running.write()
    pack(running.folder / "bundle" / "packages" / "Shop.Web.1.0.0.zip", {"../../evil": "x"})
    done = dockwright(*running.arguments("run", 2, "--output", "json"))
    assert_failed(done, 5, "Shop.Web", "evil")
    assert_first_serves(running)


def test_a_corrupt_package_is_refused(running: Site) -> None:
    running.write()
    (running.folder / "bundle" / "packages" / "Shop.Web.1.0.0.zip").write_bytes(b"PK\x03\x04 nonsense")
    assert_failed(dockwright(*running.arguments("run", 2, "--output", "json")), 5, "Shop.Web")
    assert_first_serves(running)


def test_a_dockerfile_that_fails_shows_its_line_and_output(running: Site) -> None:
    running.dockerfile = "FROM {base}\nCOPY app /app\nRUN echo cannot compile && exit 3\n"
    done = running.run(2)
    assert_failed(done, 7, "Dockerfile:3", "exit")
    assert "cannot compile" in str(done.document["output"])
    assert done.document["stage"] == "build"
    assert_first_serves(running)


def test_a_container_that_ends_at_once_shows_its_last_words(running: Site) -> None:
    running.dockerfile = 'FROM {base}\nCOPY app /app\nCMD ["sh", "-c", "echo no database; exit 3"]\n'
    done = running.run(2)
    assert_failed(done, 9, f"{running.name}-deployments-2")
    assert "no database" in str(done.document["output"])
    assert_first_serves(running)


def test_a_container_that_never_gets_healthy_gives_way(running: Site) -> None:
    done = running.run(2, HealthPath="/absent")
    assert_failed(done, 9, "was not healthy within 5 s", "answers 404")
    assert_first_serves(running)


def test_a_port_that_a_stranger_has_taken(running: Site) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        done = running.run(2, Site_Port=str(port))
    assert_failed(done, 9, str(port))
    assert_first_serves(running)


def test_a_registry_that_is_gone(running: Site) -> None:
    done = running.run(2, Registry=f"127.0.0.1:{free_port()}")
    assert_failed(done, 8, "127.0.0.1")
    assert done.document["stage"] == "build"  # the release's own image is looked for there
    assert_first_serves(running)


def test_a_registry_that_is_gone_when_the_engine_pushes(running: Site) -> None:
    running.dockerfile = WHOLE
    done = running.run(2, Registry=f"127.0.0.1:{free_port()}")
    assert_failed(done, 8, "127.0.0.1")
    assert_first_serves(running)


def test_an_engine_that_is_not_there(site: Site) -> None:
    site.write()
    arguments = site.arguments("run", 1, "--output", "json")
    arguments[arguments.index("--host") + 1] = "unix:///nowhere/docker.sock"
    assert_failed(dockwright(*arguments), 10, "/nowhere/docker.sock")


WHOLE = 'FROM {base}\nCOPY app /app\nRUN true\nCMD ["httpd", "-f", "-p", "80", "-h", "/app"]\n'
"""Its RUN could see the configuration, so that the whole of it is built and pushed by the engine."""


class CutOff:
    """A way to the engine that can be cut: a socket in front of its socket."""

    def __init__(self, engine: str, path: Path, trigger: bytes) -> None:
        self.engine, self.path, self.trigger = engine, path, trigger
        self.cut = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self.cut.set()
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.cut.is_set():
                near.close()
                continue
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.engine)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink, source is near), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, requests: bool) -> None:
        try:
            while data := source.recv(65536):
                if requests and self.trigger in data:
                    self.trigger = b"never again"
                    self.cut.set()
                if self.cut.is_set():
                    break
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Paths of sockets are at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="dw") as folder:
        yield Path(folder)


@pytest.mark.parametrize("moment", [b"/build", b"/push", b"/containers/create", b"/stop"])
def test_an_engine_that_goes_away_in_the_middle(moment: bytes, running: Site, short_folder: Path) -> None:
    way = CutOff(running.sandbox.host.removeprefix("unix://"), short_folder / "s", moment)
    running.dockerfile = WHOLE
    running.write()
    arguments = running.arguments("run", 2, "--output", "json")
    arguments[arguments.index("--host") + 1] = f"unix://{short_folder / 's'}"
    done = dockwright(*arguments)
    assert done.code in {8, 10}, done.stderr
    assert "\n" not in done.error
    assert ("a guard goes on trying" in done.error) == (moment == b"/stop")
    way.cut.clear()
    eventually(lambda: not guards_of(running.home))
    way.close()
    assert_first_serves(running)
    assert running.run(3).code == 0
    assert running.page() == "<h1>Test Deployments-3</h1>\n"
    assert running.serving() == [f"{running.name}-deployments-3"]


def test_a_full_disk_in_the_work_folder(running: Site, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    running.write()
    arguments = running.arguments("run", 2, "--output", "json")
    arguments[arguments.index("--home") + 1] = str(small)
    script = 'mount -t tmpfs -o size=40k tmpfs "$0" && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, str(small), str(DOCKWRIGHT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert_failed(Finished(done.returncode, done.stdout, done.stderr), 13, str(small))
    assert running.serving() == [f"{running.name}-deployments-1"]


def test_the_second_of_two_runs_for_one_slot_waits_and_goes_on(running: Site) -> None:
    running.dockerfile = (
        "FROM {base}\nCOPY app /app\nRUN sleep 2\n" + 'CMD ["httpd", "-f", "-p", "80", "-h", "/app"]\n'
    )
    running.write()
    first = subprocess.Popen(
        [str(DOCKWRIGHT), *running.arguments("run", 2, "--output", "json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until_held(running)
    second = dockwright(*running.arguments("run", 3, "--output", "json"))
    stdout, stderr = first.communicate()
    assert first.returncode == 0, stdout + stderr
    assert second.code == 0, second.stderr
    assert "waiting for Deployments-2" in second.stderr
    assert running.serving() == [f"{running.name}-deployments-3"]


def test_who_will_not_wait_is_told_who_holds_the_slot(running: Site) -> None:
    running.dockerfile = (
        "FROM {base}\nCOPY app /app\nRUN sleep 3\n" + 'CMD ["httpd", "-f", "-p", "80", "-h", "/app"]\n'
    )
    running.write()
    first = subprocess.Popen(
        [str(DOCKWRIGHT), *running.arguments("run", 2)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_until_held(running)
    second = dockwright(*running.arguments("run", 3, "--output", "json", "--wait", "0"))
    assert first.wait() == 0
    assert_failed(second, 11, "is held by Deployments-2")


def wait_until_held(site: Site) -> None:
    """Until the run that was started holds the slot."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for lock in (site.home / "locks").glob("*.lock"):
            holder = lock.read_text(encoding="utf-8")
            match = re.search(r"Deployments-2 \(process (\d+)", holder)
            if match and Path(f"/proc/{match[1]}").exists():
                return
        time.sleep(0.02)
    pytest.fail("the first run never took the slot")


def test_a_terminated_run_undoes_what_it_began(running: Site) -> None:
    running.write()
    process = subprocess.Popen(
        [str(DOCKWRIGHT), *running.arguments("run", 2, HealthPath="/absent")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if f"starting {running.name}-deployments-2" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
    assert_first_serves(running)


@pytest.mark.parametrize("at", ["acquire", "transform", "build", "push", "run", "stopping", "starting"])
def test_a_killed_run_leaves_one_serving_and_the_next_cleans_up(at: str, running: Site) -> None:
    """SIGKILL to the whole process group; afterwards, without any command, somebody serves."""
    running.write()
    process = subprocess.Popen(
        [str(DOCKWRIGHT), *running.arguments("run", 2)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if at in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert wait_for_page(running), "nobody serves after the kill"
    assert running.run(3).code == 0
    assert running.page() == "<h1>Test Deployments-3</h1>\n"
    assert running.serving() == [f"{running.name}-deployments-3"]
    assert not [c.name for c in running.containers() if c.state == "created"]
    assert list((running.home / "work").glob("run-*")) == []


def wait_for_page(site: Site) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if site.page() in {"<h1>Test Deployments-1</h1>\n", "<h1>Test Deployments-2</h1>\n"}:
            return True
        time.sleep(0.05)
    return False
