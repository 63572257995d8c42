"""A few of the faults of `ssh_faults` and `winrm_faults`, at the beginning, in the middle and near the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.host import ContainerHost
from linux.sandbox import Sandbox
from tests.system import ssh_faults, winrm_faults
from tests.system.ssh_faults import Kind
from tests.winrm import soap
from tests.winrm.settings import Mishap


@pytest.mark.parametrize(("engine", "kinds"), [("api", ("cut", "away")), ("cli", ("cut-after", "away"))])
def test_deployment_over_ssh_that_is_cut_succeeds_or_leaves_the_old_one_serving(
    sandbox: Sandbox,
    engine_host: ContainerHost,
    unique_name: Callable[[str], str],
    tmp_path: Path,
    engine: str,
    kinds: tuple[Kind, ...],
) -> None:
    with ssh_faults.reached(sandbox, engine_host, tmp_path, unique_name("shop"), engine) as (far, proxy):
        ssh_faults.undisturbed(far, proxy)  # the first one has more to do
        whole = ssh_faults.undisturbed(far, proxy)
        for number, kind in enumerate(kinds, start=1):
            became = ssh_faults.disturbed(far, proxy, kind, number * whole // (len(kinds) + 1))
            assert proxy.cuts == 1, became.told


@pytest.mark.parametrize(
    ("engine", "mishaps"),
    [
        ("api", (Mishap(kind="lose"), Mishap(kind="gone", code=soap.ABORTED))),
        (
            "cli",
            (Mishap(kind="reboot", seconds=2), Mishap(kind="slow"), Mishap(kind="fault", code=soap.ACCESS_DENIED)),
        ),
    ],
)
def test_deployment_over_winrm_of_which_a_request_fails_succeeds_or_leaves_the_old_one_serving(
    sandbox: Sandbox,
    engine_host: ContainerHost,
    unique_name: Callable[[str], str],
    tmp_path: Path,
    engine: str,
    mishaps: tuple[Mishap, ...],
) -> None:
    with winrm_faults.reached(sandbox, engine_host, tmp_path, unique_name("shop"), engine) as (far, server):
        winrm_faults.undisturbed(far, server)  # the first one has more to do
        whole = len(winrm_faults.undisturbed(far, server))
        for number, mishap in enumerate(mishaps, start=1):
            became = winrm_faults.disturbed(far, server, mishap, number * whole // (len(mishaps) + 1))
            assert server.happened == 1, became.told
