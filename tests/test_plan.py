from pathlib import Path

import msgspec
import pytest

from agent.errors import InputError, PlanChangedError, StorageError
from agent.plan import Plan, PlannedContainer, PlannedFile, PlannedPackage, load, require_same, save
from tests.objections import objection

CONTAINER = PlannedContainer(
    name="web-deployments-1", ports=["80:80"], specification="s1", replaces="web-deployments-0"
)
PLAN = Plan(
    deployment="Deployments-1",
    slot="p/e/untenanted/s",
    step="source-image",
    host="unix://",
    packages=[PlannedPackage(name="Web", id="Web", version="1.0.0", sha256="aa", size=10)],
    files=[PlannedFile(path="web.config", before="b1", after="a1", diff="-x\n+y\n")],
    image="registry/web:1.0.0-deployments-1",
    registry="registry",
    configuration="c1",
    container=CONTAINER,
)


def changed(**changes: object) -> Plan:
    return msgspec.structs.replace(PLAN, **changes)


def test_a_plan_reads_back_as_it_was_saved(tmp_path: Path) -> None:
    save(PLAN, tmp_path / "plan.json")
    assert load(tmp_path / "plan.json") == PLAN
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


def test_the_same_plan_passes_whatever_the_expected_outage_is() -> None:
    container = msgspec.structs.replace(CONTAINER, outage="about 3 s")
    assert objection(lambda: require_same(PLAN, changed(container=container))) == ""


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (changed(image="registry/web:2"), "the image was 'registry/web:1.0.0-deployments-1' and is 'registry/web:2'"),
        (changed(host="ssh://x"), "the host was"),
        (changed(packages=[]), "the package Web is gone"),
        (
            changed(packages=[msgspec.structs.replace(PLAN.packages[0], version="1.0.1")]),
            "the package Web was Web 1.0.0 and is Web 1.0.1",
        ),
        (
            changed(packages=[msgspec.structs.replace(PLAN.packages[0], sha256="bb")]),
            "the package Web 1.0.0 has other content",
        ),
        (
            changed(files=[msgspec.structs.replace(PLAN.files[0], after="a2")]),
            "the file web.config would change differently",
        ),
        (changed(files=[]), "the file web.config would change or not"),
        (changed(configuration="c2"), "the image's content"),
        (changed(container=None), "whether a container is run has changed"),
        (
            changed(container=msgspec.structs.replace(CONTAINER, replaces="web-deployments-9")),
            "the container to replace was web-deployments-0 and is web-deployments-9",
        ),
        (
            changed(container=msgspec.structs.replace(CONTAINER, specification="s2")),
            "would be made with other settings",
        ),
    ],
)
def test_every_difference_that_matters_is_refused_with_its_reason(now: Plan, reason: str) -> None:
    with pytest.raises(PlanChangedError, match="no longer what was planned") as caught:
        require_same(PLAN, now)
    assert reason in str(caught.value)


def test_a_file_that_is_no_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with pytest.raises(InputError, match="cannot be read"):
        load(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="is not a plan"):
        load(path)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="the key 'deployment' is required"):
        load(path)


def test_a_plan_that_cannot_be_saved_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        save(PLAN, tmp_path / "absent" / "plan.json")
    assert list(tmp_path.iterdir()) == []
