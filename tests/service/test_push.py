"""`dockwright push`: what an agent lacks is sent, what happens there is shown here, and its end is our end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.service.certificate import own_certificate
from agent.service.protocol import FINAL
from agent.signing import SIGNATURE, make_key, sign
from tests.patience import eventually
from tests.service.conftest import VARIABLES, Agent


class Pusher:
    """Pushes from a home of its own, which the agents trust."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "pusher"
        self.own = own_certificate(self.home / "service", "pusher")
        self.variables = folder / "variables.json"
        self.variables.write_text(json.dumps({**VARIABLES, "Secret": "not-here"}))

    def command(self, bundle: Path, *agents: Agent, options: tuple[str, ...] = ()) -> list[str]:
        words = [sys.executable, "-m", "agent.cli", "push", str(bundle), "--variables", str(self.variables)]
        for agent in agents:
            words += ["--agent", agent.url, "--agent-thumbprint", agent.thumbprint]
        return [*words, "--home", str(self.home), "--output", "plain", "--patience", "10", *options]

    def push(self, bundle: Path, *agents: Agent, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = self.command(bundle, *agents, options=options)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def pusher(tmp_path: Path) -> Pusher:
    return Pusher(tmp_path)


@pytest.fixture
def agents(make_agent: Callable[[str], Agent], pusher: Pusher) -> list[Agent]:
    """Three that take the same signer's bundles."""
    made = [make_agent(f"agent-{number}") for number in range(3)]
    for agent in made:
        agent.trust(pusher.own, name="pusher")
        agent.start()
    return made


def bundle(agents: list[Agent], do: str) -> Path:
    """A bundle that all of them trust: signed with the first one's key."""
    from agent.signing import Signers

    first = agents[0]
    first.bundle(do, "pushed")
    key = json.loads((first.folder / "pushed" / SIGNATURE).read_bytes())["signer"]
    for agent in agents[1:]:
        Signers(agent.home / "service" / "signers.json").add("first", key)
    return first.folder / "pushed"


def test_what_happens_there_is_shown_here(agents: list[Agent], pusher: Pusher) -> None:
    pushed = pusher.push(bundle(agents, "report.info('said on the agent')"), agents[0])
    assert pushed.returncode == 0, pushed.stderr
    assert "said on the agent" in pushed.stdout
    assert "Answer" in pushed.stdout
    assert agents[0].client().status("Deployments-1").completed


def test_failure_there_is_our_exit_code(agents: list[Agent], pusher: Pusher) -> None:
    do = "from agent.errors import BuildError\nraise BuildError('Dockerfile:7: no such file')"
    pushed = pusher.push(bundle(agents, do), agents[0])
    assert pushed.returncode == 7
    assert pushed.stderr.count("Dockerfile:7: no such file") + pushed.stdout.count("Dockerfile:7: no such file") == 1


def test_same_push_again_runs_nothing_and_tells_the_same(agents: list[Agent], pusher: Pusher, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    folder = bundle(
        agents, f"open({str(mark)!r}, 'a').write('x')\nfrom agent.errors import HostError\nraise HostError('no')"
    )
    assert [pusher.push(folder, agents[0]).returncode for _ in range(2)] == [10, 10]
    assert mark.read_text() == "x"


def test_push_that_was_done_before_says_so_and_has_its_outputs(agents: list[Agent], pusher: Pusher) -> None:
    folder = bundle(agents, "report.info('done here')")
    assert pusher.push(folder, agents[0]).returncode == 0
    again = pusher.push(folder, agents[0])
    assert again.returncode == 0
    told = " ".join(again.stdout.split())
    assert "Deployments-1 succeeded on" in told
    assert "nothing is left to do" in told
    assert "Answer 42" in told
    assert "done here" not in told


def test_one_who_may_only_read_is_told_so(agents: list[Agent], pusher: Pusher) -> None:
    agents[0].peers.revoke("pusher")
    agents[0].trust(pusher.own, "read", name="pusher")
    pushed = pusher.push(bundle(agents, "pass"), agents[0])
    assert pushed.returncode == 10
    assert "we may not do this there; see dockwright trust list on it" in pushed.stdout + pushed.stderr


def test_packages_that_the_agent_has_are_not_sent_again(agents: list[Agent], pusher: Pusher) -> None:
    folder = bundle(agents, "report.info(','.join(p.name for p in context.packages) or 'none')")
    (folder / "packages").mkdir()
    (folder / "packages" / "Shop.1.0.0.zip").write_bytes(os.urandom(3_000_000))
    (folder / SIGNATURE).write_bytes(sign(folder, "pushed", agents[0].key))
    assert pusher.push(folder, agents[0]).returncode == 0
    blobs = agents[0].home / "service" / "blobs"
    before = {path.name: path.stat().st_mtime_ns for path in blobs.iterdir() if path.is_file()}
    (folder / "step.yaml").write_text((folder / "step.yaml").read_text() + "\n# changed\n")
    (folder / SIGNATURE).write_bytes(sign(folder, "pushed", agents[0].key))
    assert pusher.push(folder, agents[0], options=("--id", "D-2")).returncode == 0
    after = {path.name for path in blobs.iterdir() if path.is_file()}
    assert len(after - before.keys()) == 1


def test_several_agents_stop_at_the_first_failure(agents: list[Agent], pusher: Pusher, tmp_path: Path) -> None:
    guard = "if 'agent-1' in str(context.work):\n    raise ContainerError('unhealthy')"
    fails = f"from agent.errors import ContainerError\n{guard}"
    pushed = pusher.push(bundle(agents, fails), *agents)
    assert pushed.returncode == 9
    told = " ".join((pushed.stdout + pushed.stderr).split())
    assert f"{agents[0].url} succeeded" in told
    assert f"{agents[1].url} failed: unhealthy" in told
    assert f"{agents[2].url} was not begun" in told
    assert agents[2].client().deployments() == []


def test_rolling_takes_several_at_a_time(agents: list[Agent], pusher: Pusher) -> None:
    pushed = pusher.push(bundle(agents, "report.info('done here')"), *agents, options=("--rolling", "3"))
    assert pushed.returncode == 0, pushed.stderr
    for agent in agents:
        assert f"{agent.url}: done here" in pushed.stdout


def test_interrupt_here_is_a_cancel_there(agents: list[Agent], pusher: Pusher) -> None:
    agent = agents[0]
    command = pusher.command(bundle(agents, "import time\nreport.info('begun')\ntime.sleep(60)"), agent)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    eventually(lambda: "begun" in (process.stdout.readline() if process.stdout else ""))
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    process.stdout.close()
    client = agent.client()
    eventually(lambda: client.status("Deployments-1").state in FINAL)
    assert (client.status("Deployments-1").state, client.status("Deployments-1").cancelled_by) == (
        "cancelled",
        "pusher",
    )


def test_push_outlives_a_restart_of_the_agent(agents: list[Agent], pusher: Pusher) -> None:
    agent = agents[0]
    do = "import time\nfor i in range(25):\n    report.info(f'line {i} ends')\n    time.sleep(0.1)"
    command = pusher.command(bundle(agents, do), agent)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    eventually(lambda: "line 3 ends" in (process.stdout.readline() if process.stdout else ""))
    agent.kill()
    time.sleep(0.5)
    agent.start()
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait(30) == 0
    assert [rest.count(f"line {i} ends") for i in range(5, 25)] == [1] * 20


def test_detached_push_goes_on_by_itself(agents: list[Agent], pusher: Pusher) -> None:
    pushed = pusher.push(bundle(agents, "pass"), agents[0], options=("--detach",))
    assert pushed.returncode == 0
    client = agents[0].client()
    eventually(lambda: client.status("Deployments-1").state == "succeeded")


def test_unsigned_bundle_is_refused_where_signatures_are_required(
    make_agent: Callable[[str], Agent], pusher: Pusher, tmp_path: Path
) -> None:
    agent = make_agent("strict")
    agent.trust(pusher.own, name="pusher")
    agent.start("--require-signature")
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "step.yaml").write_text("step: source-image\ninputs: {source: App, image: app}\n")
    pushed = pusher.push(folder, agent)
    assert pushed.returncode == 3
    assert "is not signed" in pushed.stdout + pushed.stderr


def test_secrets_of_the_variables_are_nowhere_on_the_agent(agents: list[Agent], pusher: Pusher) -> None:
    entries = [{"k": name, "v": value, "s": False} for name, value in VARIABLES.items()]
    entries.append({"k": "Password", "v": "hunter2-hunter2", "s": True})
    pusher.variables.write_text(json.dumps(entries))
    do = "report.info('it is ' + context.variables.get('Password'))\nimport time\ntime.sleep(0.5)"
    pushed = pusher.push(bundle(agents, do), agents[0])
    assert pushed.returncode == 0, pushed.stderr
    assert "hunter2" not in pushed.stdout + pushed.stderr
    for path in agents[0].home.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ((), 3, "no agent is given"),
        (("--agent", "http://x", "--agent-thumbprint", "ab" * 32), 3, "an agent is given as https://HOST:PORT"),
        (("--agent", "https://u:p@x", "--agent-thumbprint", "ab" * 32), 3, "an agent is given as https://HOST:PORT"),
        (("--agent", "https://x:99999", "--agent-thumbprint", "ab" * 32), 3, "the port being up to 65535"),
        (("--agent", "https://127.0.0.1:1", "--agent-thumbprint", "ab" * 20), 3, "SHA-1 thumbprint"),
        (("--agent", "https://127.0.0.1:1"), 3, "needs its --agent-thumbprint"),
        (
            ("--agent", "https://127.0.0.1:1", "--agent-thumbprint", "ab" * 32, "--patience", "0"),
            10,
            "cannot be reached",
        ),
        (
            ("--agent", "https://127.0.0.1:1", "--agent-thumbprint", "ab" * 32, "--id", "a/b"),
            3,
            "no id for a deployment",
        ),
    ],
)
def test_wrong_uses_end_in_one_line(
    pusher: Pusher, tmp_path: Path, change: tuple[str, ...], code: int, reason: str
) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "step.yaml").write_text("step: source-image\n")
    pushed = pusher.push(folder, options=change)
    assert pushed.returncode == code
    assert reason in pushed.stdout + pushed.stderr
    assert "Traceback" not in pushed.stdout + pushed.stderr


def test_bundle_signed_before_the_last_one_is_refused(agents: list[Agent], pusher: Pusher, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    folder = bundle(agents, f"open({str(mark)!r}, 'a').write('x')")
    older = (folder / SIGNATURE).read_bytes()
    (folder / SIGNATURE).write_bytes(sign(folder, "pushed", agents[0].key))
    assert pusher.push(folder, agents[0], options=("--id", "D-1")).returncode == 0
    (folder / SIGNATURE).write_bytes(older)
    pushed = pusher.push(folder, agents[0], options=("--id", "D-2"))
    assert pushed.returncode == 3
    assert "was signed before the last one" in pushed.stdout + pushed.stderr
    assert mark.read_text() == "x"


def _by_another_key(folder: Path) -> None:
    make_key(folder.parent / "other.pem")
    (folder / SIGNATURE).write_bytes(sign(folder, "pushed", folder.parent / "other.pem"))


def _with_a_wrong_signature(folder: Path) -> None:
    signed = json.loads((folder / SIGNATURE).read_bytes())
    (folder / SIGNATURE).write_text(json.dumps({**signed, "signature": signed["signature"][::-1].lstrip("=") + "=="}))


def _changed_afterwards(folder: Path) -> None:
    (folder / "step.yaml").write_text((folder / "step.yaml").read_text() + "# changed\n")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_by_another_key, "that no trusted key has signed|a key that is not trusted here"),
        (_with_a_wrong_signature, "signature"),
        (_changed_afterwards, "step.yaml"),
    ],
)
def test_plugin_is_run_only_under_a_right_signature(
    agents: list[Agent], pusher: Pusher, tmp_path: Path, change: Callable[[Path], None], reason: str
) -> None:
    mark = tmp_path / "mark"
    folder = bundle(agents, f"open({str(mark)!r}, 'a').write('x')")
    change(folder)
    pushed = pusher.push(folder, agents[0])
    assert pushed.returncode == 3
    assert re.search(reason, " ".join((pushed.stdout + pushed.stderr).split()))
    assert "Traceback" not in pushed.stdout + pushed.stderr
    assert not mark.exists()
