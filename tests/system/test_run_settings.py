"""Settings under `run:`, from step.yaml and from Octopus's variables, as a real engine takes them."""

from __future__ import annotations

import json

from linux.sandbox.engine_call import EngineSocket
from tests.system.shop import Site


def test_one_that_dies_after_its_first_good_answer_gives_way_to_the_old_one(site: Site) -> None:
    site.step = site.step.replace("interval: 0.05}", "interval: 0.05, watch: 10}\n    command: [sh, -c, '#{Start}']")
    site.step = site.step.replace("watch: 10", 'watch: "#{Watch}"')
    serve = "httpd -f -h /app"
    assert site.run(1, Start=serve, Watch="0").code == 0
    dies = site.run(2, Start=f"timeout 1 {serve}; echo the disk is full; exit 5", Watch="10")
    assert dies.code == 9
    assert f"{site.name}-deployments-2" in dies.error
    assert "the disk is full" in str(dies.document["output"])
    assert site.serving() == [f"{site.name}-deployments-1"]
    assert "Deployments-1" in site.page()


def test_variables_of_octopus_fill_in_and_limits_are_written_for_people(site: Site) -> None:
    site.step = site.step.replace(
        '    ports: ["127.0.0.1:#{Site.Port}:80"]\n',
        "    memory: 64MB\n    cpus: 0.5\n    pids: 50\n    ulimits: {nofile: 99}\n",
    )
    docker = {
        "Octopus.Action.Docker.PortMapping": json.dumps({"80": str(site.port)}),
        "Octopus.Action.Docker.EnvVariable": json.dumps({"IGNORED": "since the step has an environment"}),
        "Octopus.Action.Docker.Args": "--hostname till --log-opt max-size=1m --cap-drop NET_RAW --tmpfs /m:size=1MB",
    }
    done = site.run(1, **docker)
    assert done.code == 0, done.stderr
    assert "Deployments-1" in site.page()
    engine = EngineSocket(site.sandbox.host.removeprefix("unix://"))
    _, answer = engine.call("GET", f"/containers/{done.outputs['Container']}/json")
    found = json.loads(answer)
    assert found["Config"]["Hostname"] == "till"
    assert "GREETING=hello" in found["Config"]["Env"]
    assert not any(each.startswith("IGNORED=") for each in found["Config"]["Env"])
    host = found["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 * 1024**2, 500_000_000, 50)
    assert host["LogConfig"]["Config"] == {"max-size": "1m"}
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 99, "Hard": 99}]
    assert (host["CapDrop"], host["Tmpfs"]) == (["NET_RAW"], {"/m": "size=1048576"})


def test_setting_that_cannot_be_stops_nothing(site: Site) -> None:
    assert site.run(1).code == 0
    site.step = site.step.replace("    stop-timeout: 1\n", "    stop-timeout: 1\n    memory: 64 Mo\n")
    refused = site.run(2)
    assert refused.code == 3
    assert "run.memory: '64 Mo' is not a size" in refused.error
    assert site.host.image(f"{site.sandbox.registry}/{site.name}:1.0.0-deployments-2") is None
    site.step = site.step.replace("    memory: 64 Mo\n", "    networks: [nowhere-at-all]\n")
    refused = site.run(3)
    assert refused.code == 9
    assert "there is no network nowhere-at-all" in refused.error
    assert site.serving() == [f"{site.name}-deployments-1"]
