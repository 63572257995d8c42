"""What only a real engine shows: health checks, mounts, networks, logins, and where a build failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

from agent.errors import BuildError, ContainerError, RegistryError
from agent.host import BuildRequest, ContainerHost, ContainerInfo, ContainerSpec, Credentials, Network, Volume
from tests.engine.peers import no_lines, no_progress
from tests.patience import PATIENCE
from tests.registry.fake_server import FakeServer
from tests.registry.private_registry import JANE


def eventually(look: Callable[[], ContainerInfo | None], right: Callable[[ContainerInfo], bool]) -> ContainerInfo:
    deadline = monotonic() + PATIENCE
    while True:
        info = look()
        if info and right(info):
            return info
        assert monotonic() < deadline, info
        sleep(0.1)


@pytest.mark.parametrize(("command", "health"), [("echo fine", "healthy"), ("echo broken; exit 1", "unhealthy")])
def test_health_and_its_last_words_are_seen(
    engine_host: ContainerHost, context: Path, unique_name: Callable[[str], str], command: str, health: str
) -> None:
    check = f"HEALTHCHECK --interval=200ms --retries=1 CMD {command}\n"
    with (context / "Dockerfile").open("a", encoding="utf-8") as dockerfile:
        dockerfile.write(check)
    image = engine_host.build(BuildRequest(context=context, tags=(f"{unique_name('app')}:1",)), no_lines)
    assert image.has_healthcheck
    name = unique_name("health")
    engine_host.create(ContainerSpec(name=name, image=image.id, command=("sleep", "60"), stop_timeout=0))
    engine_host.start(name)
    info = eventually(lambda: engine_host.inspect(name), lambda found: found.health == health)
    assert info.health_output == command.removeprefix("echo ").partition(";")[0]


def test_failing_command_is_named_with_line_and_exit_code(engine_host: ContainerHost, context: Path) -> None:
    with (context / "Dockerfile").open("a", encoding="utf-8") as dockerfile:
        dockerfile.write("\n# the build\nRUN echo compiling && \\\n    exit 7\nRUN echo never\n")
    lines: list[str] = []
    with pytest.raises(BuildError, match=r"^Dockerfile:5: RUN echo compiling && exit 7: exited with 7$") as failed:
        engine_host.build(BuildRequest(context=context, tags=()), lines.append)
    assert "compiling" in failed.value.output
    assert not any("never" in line for line in lines)


def test_missing_file_is_named_with_its_line(engine_host: ContainerHost, context: Path) -> None:
    (context / ".dockerignore").write_text("page.html\n", encoding="utf-8")
    with pytest.raises(BuildError, match=r"^Dockerfile:2: COPY page\.html /: .*excluded by \.dockerignore"):
        engine_host.build(BuildRequest(context=context, tags=()), no_lines)


def test_arguments_target_and_other_dockerfile_reach_the_build(
    engine_host: ContainerHost, context: Path, base_image: str
) -> None:
    (context / "docker").mkdir()
    (context / "docker" / "App.Dockerfile").write_text(
        f"FROM {base_image} AS first\nARG V\nLABEL v=$V\nFROM {base_image}\nRUN false\n", encoding="utf-8"
    )
    request = BuildRequest(
        context=context, tags=(), dockerfile="docker/App.Dockerfile", arguments={"V": "a b"}, target="first"
    )
    assert engine_host.build(request, no_lines).labels["v"] == "a b"


def test_memory_limit_reaches_the_instruction(engine_host: ContainerHost, context: Path) -> None:
    with (context / "Dockerfile").open("a", encoding="utf-8") as dockerfile:
        dockerfile.write("RUN cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max 2>/dev/null; true\n")
    lines: list[str] = []
    engine_host.build(BuildRequest(context=context, tags=(), memory=64 * 1024 * 1024), lines.append)
    assert str(64 * 1024 * 1024) in lines


def test_time_limit_cancels_the_build(engine_host: ContainerHost, context: Path) -> None:
    with (context / "Dockerfile").open("a", encoding="utf-8") as dockerfile:
        dockerfile.write("RUN sleep 100; true\n")
    with pytest.raises(BuildError, match=r"^Dockerfile: the build had not ended after 1 s and was cancelled; raise"):
        engine_host.build(BuildRequest(context=context, tags=(), timeout=1), no_lines)
    with (context / "Dockerfile").open("a", encoding="utf-8") as dockerfile:
        dockerfile.write("RUN while true; do echo busy; done\n")
    (context / "Dockerfile").write_text(
        (context / "Dockerfile").read_text(encoding="utf-8").replace("sleep 100", "sleep 0"), encoding="utf-8"
    )
    with pytest.raises(BuildError, match="not ended after 1 s and was cancelled"):
        engine_host.build(BuildRequest(context=context, tags=(), timeout=1), no_lines)


def test_environment_volumes_and_network_reach_the_container(
    engine_host: ContainerHost, base_image: str, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "given").write_text("from outside", encoding="utf-8")
    name = unique_name("c")
    script = 'printf "%s|" "$A"; cat /data/given; touch /data/x 2>/dev/null || echo "|read-only"; ls /sys/class/net'
    spec = ContainerSpec(
        name=name,
        image=base_image,
        environment={"A": "b=c\nd $HOME \"'"},
        volumes=(Volume(source=str(tmp_path), target="/data", read_only=True),),
        networks=(Network(name="none"),),
        restart="no",
        command=("sh", "-c", script),
    )
    engine_host.create(spec)
    engine_host.start(name)
    assert engine_host.wait(name, 30) == 0
    assert engine_host.logs(name, 10) == ["b=c", "d $HOME \"'|from outside|read-only", "lo"]


def test_volume_that_is_not_there_is_not_made_up(
    engine_host: ContainerHost, base_image: str, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    volume = Volume(source=str(tmp_path / "nowhere"), target="/data")
    with pytest.raises(ContainerError, match="bind source path does not exist"):
        engine_host.create(ContainerSpec(name=unique_name("c"), image=base_image, volumes=(volume,)))
    assert not (tmp_path / "nowhere").exists()


def test_command_that_does_not_exist_is_said(
    engine_host: ContainerHost, base_image: str, unique_name: Callable[[str], str]
) -> None:
    name = unique_name("c")
    engine_host.create(ContainerSpec(name=name, image=base_image, command=("no-such-command",)))
    with pytest.raises(ContainerError, match=f"cannot start {name}: .*no-such-command"):
        engine_host.start(name)


def test_login_goes_with_the_request_and_nowhere_else(
    engine_host: ContainerHost,
    context: Path,
    private_registry: FakeServer,
    unique_name: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker-config"))
    tag = f"{private_registry.name}/{unique_name('app')}:1"
    built = engine_host.build(BuildRequest(context=context, tags=(tag,)), no_lines)
    seen: list[tuple[int, int]] = []
    engine_host.push(tag, JANE, lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] > 0
    engine_host.remove_image(tag)
    assert engine_host.pull(tag, JANE, no_progress).id == built.id
    assert not (tmp_path / "docker-config").exists()
    for credentials in (None, Credentials(username="jane", password="wr0ng")):
        with pytest.raises(RegistryError, match=r"other credentials|may not use it") as refused:
            engine_host.push(tag, credentials, no_progress)
        assert "wr0ng" not in str(refused.value)


def test_base_image_of_a_private_registry_is_pulled_for_a_build(
    engine_host: ContainerHost, context: Path, private_registry: FakeServer, unique_name: Callable[[str], str]
) -> None:
    base = f"{private_registry.name}/{unique_name('base')}:1"
    built = engine_host.build(BuildRequest(context=context, tags=(base,)), no_lines)
    engine_host.push(base, JANE, no_progress)
    engine_host.remove_image(base)
    (context / "Dockerfile").write_text(f"FROM {base}\n", encoding="utf-8")
    credentials = {private_registry.name: JANE}
    request = BuildRequest(context=context, tags=(), credentials=credentials, pull=True)
    assert engine_host.build(request, no_lines).id == built.id
    assert "s3cret" not in repr(request)
    engine_host.remove_image(base)
    with pytest.raises(BuildError, match=r"^Dockerfile:1: FROM \S+: "):
        engine_host.build(BuildRequest(context=context, tags=()), no_lines)


def test_base_image_of_a_private_registry_is_pulled_by_buildkit_too(
    engine_host: ContainerHost, context: Path, private_registry: FakeServer, unique_name: Callable[[str], str]
) -> None:
    base = f"{private_registry.name}/{unique_name('base')}:1"
    engine_host.build(BuildRequest(context=context, tags=(base,)), no_lines)
    engine_host.push(base, JANE, no_progress)
    engine_host.remove_image(base)
    (context / "Dockerfile").write_text(
        f"FROM {base}\nRUN --mount=type=secret,id=t test -s /run/secrets/t\n", encoding="utf-8"
    )
    tag = f"{unique_name('app')}:1"
    request = BuildRequest(
        context=context, tags=(tag,), credentials={private_registry.name: JANE}, secrets={"t": "x"}
    )
    assert engine_host.build(request, no_lines).tags == (tag,)
    engine_host.remove_image(tag)
    with pytest.raises(BuildError, match=r"^Dockerfile:1: FROM \S+: .*(401|denied|auth)"):
        engine_host.build(BuildRequest(context=context, tags=(), secrets={"t": "x"}), no_lines)


def test_labels_hold_any_text_and_cost_one_step(
    engine_host: ContainerHost, base_image: str, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {base_image}\nENV GREETING=hello\n", encoding="utf-8")
    labels = {
        "plain": "a b",
        "quoted": "say \"it\" or 'it'",
        "expanding": "$GREETING ${GREETING} \\$",
        "escaped": "C:\\app\\\\x\\",
        "unicode": "Grüße",
        "empty": "",
        "slot": "shop/test/untenanted/deploy the shop",
    }
    lines: list[str] = []
    request = BuildRequest(context=tmp_path, tags=(f"{unique_name('labels')}:1",), labels=labels)
    built = engine_host.build(request, lines.append)
    assert built.labels.items() >= labels.items()
    assert sum(line.startswith("Step ") for line in lines) == 2
