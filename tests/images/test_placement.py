"""Where a Dockerfile puts the configuration files, and what could see them on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from agent.images import BuildSettings, Doubt
from agent.images.placement import Placement, place

CONFIG = "app/appsettings.json"
FILES = ("app/appsettings.json", "app/bin/tool", "app/conf/site.conf", "other/appsettings.json", "run.sh")


@pytest.fixture
def context(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return tmp_path


def read(
    context: Path,
    dockerfile: str,
    *changed: str,
    system: Literal["linux", "windows"] = "linux",
    settings: BuildSettings | None = None,
) -> Placement | Doubt:
    settings = settings or BuildSettings()
    (context / settings.dockerfile).write_text(dockerfile, encoding="utf-8")
    return place(context, settings, changed or (CONFIG,), system)


def paths(found: Placement | Doubt) -> tuple[str, ...]:
    assert isinstance(found, Placement), found
    return found.paths[CONFIG]


def reason(found: Placement | Doubt) -> str:
    assert isinstance(found, Doubt), found
    return found.reason


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("FROM b\nCOPY app /srv\n", ("srv/appsettings.json",)),
        ("FROM b\nCOPY . /\n", (CONFIG,)),
        ("FROM b\nCOPY ./app/ /srv/\n", ("srv/appsettings.json",)),
        ("FROM b\ncopy --chown=1:2 --chmod=640 app/appsettings.json /srv/\n", ("srv/appsettings.json",)),
        ("FROM b\nCOPY app/appsettings.json /srv/live.json\n", ("srv/live.json",)),
        ("FROM b\nCOPY app/appsettings.json run.sh /srv/.\n", ("srv/appsettings.json",)),
        ('FROM b\nCOPY ["app", "/my app"]\n', ("my app/appsettings.json",)),
        ("FROM b\nCOPY app/*.json /srv/\n", ("srv/appsettings.json",)),
        ("FROM b\nCOPY a?p /srv\n", ("srv/appsettings.json",)),
        ("FROM b\nADD app /srv\n", ("srv/appsettings.json",)),
        ("FROM b\nWORKDIR /srv\nWORKDIR web\nCOPY app .\n", ("srv/web/appsettings.json",)),
        ("FROM scratch\nCOPY app .\n", ("appsettings.json",)),
        ("FROM b\nENV HOME_DIR=/srv\nCOPY app ${HOME_DIR}/web\n", ("srv/web/appsettings.json",)),
        ("FROM b\nENV HOME_DIR /srv\nWORKDIR $HOME_DIR\nCOPY app ./\n", ("srv/appsettings.json",)),
        ('FROM b\nRUN apk add x\nCOPY app /srv\nUSER 33\nCMD ["x"]\n', ("srv/appsettings.json",)),
        ("ARG BASE=b\nFROM ${BASE}\nCOPY app /srv\n", ("srv/appsettings.json",)),
        ("FROM b\nCOPY app /one\nCOPY app /two\n", ("one/appsettings.json", "two/appsettings.json")),
        ("FROM b\nCOPY run.sh /\n", ()),
        ("FROM b\nCOPY app /srv\nCOPY other /srv\n", ()),
        ("FROM b\nCOPY other /srv\nCOPY app /srv\n", ("srv/appsettings.json",)),
        ("FROM b AS x\nCOPY app /a\nRUN make\nFROM b\nCOPY app /srv\n", ("srv/appsettings.json",)),
        ("FROM b AS x\nCOPY app /a\nFROM c\nCOPY --from=x /a /srv\n", ("srv/appsettings.json",)),
        ("FROM b AS x\nCOPY app /a/b\nFROM c\nCOPY --from=0 /a /srv\n", ("srv/b/appsettings.json",)),
        ("FROM b AS X\nCOPY app /a\nFROM x\nUSER 1\n", ("a/appsettings.json",)),
        ("FROM b\nCOPY --from=nginx /etc /etc\nCOPY app /srv\n", ("srv/appsettings.json",)),
        ("FROM b\nRUN --mount=type=cache,target=/c true\nCOPY app /srv\n", ("srv/appsettings.json",)),
        ("FROM b\nCOPY <<EOF /etc/x\nRUN cat /srv/appsettings.json\nEOF\nCOPY app /srv\n", ("srv/appsettings.json",)),
        ("FROM b\nCOPY app /srv\n# RUN cat\nCMD x \\\n  # RUN y\n  z\n", ("srv/appsettings.json",)),
        ("FROM b\nCOPY app/appsettings.json \\\n\n  /srv/\n", ("srv/appsettings.json",)),
    ],
)
def test_the_files_are_where_the_dockerfile_puts_them(
    context: Path, dockerfile: str, expected: tuple[str, ...]
) -> None:
    assert paths(read(context, dockerfile)) == expected


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("FROM b\nCOPY app /srv\nRUN cat /srv/appsettings.json\n", f"Dockerfile:3: RUN could see {CONFIG}"),
        ("FROM b\nCOPY app /srv\nRUN <<EOF\ncat x\nEOF\n", "Dockerfile:3: RUN could see"),
        ("FROM b\nCOPY app /srv\nUSER 1\nru\\\nn x\n", "Dockerfile:4: RUN could see"),
        ("FROM b\nRUN --mount=target=/src cp /src/app/x /y\n", "RUN mounts files"),
        ("FROM b\nRUN --mount=type=bind,from=x,target=/s true\nCOPY app /srv\n", "RUN mounts files"),
        ("FROM b AS x\nCOPY app /a\nRUN make\nFROM c\nCOPY --from=x /a /srv\n", "Dockerfile:3: RUN could see"),
        ("FROM b AS x\nCOPY app /a\nRUN make\nFROM x\nUSER 2\n", "Dockerfile:3: RUN could see"),
        ("FROM b AS x\nCOPY app /a\nFROM x\nRUN make\n", "Dockerfile:4: RUN could see"),
        ("FROM b AS x\nCOPY app /a\nFROM c\nCOPY --from=x /elsewhere /srv\n", "could copy"),
        ("FROM b AS x\nCOPY app /a\nFROM c\nCOPY --from=x /* /srv\n", "could copy"),
        ("FROM b AS x\nCOPY app /a\nFROM c\nARG S=x\nCOPY --from=$S /a /srv\n", "depends on an argument"),
        ("FROM b AS x\nONBUILD RUN y\nCOPY app /a\nFROM x\n", "triggers"),
        ("FROM b\nONBUILD RUN y\nCOPY app /a\n", "triggers"),
        ("FROM ${BASE}\nCOPY app /srv\n", "depends on an argument"),
        ("FROM b\nARG D=/srv\nCOPY app $D\n", "not certain"),
        ("FROM b\nENV D=$HOME\nCOPY app $D\n", "not certain"),
        ("FROM b\nCOPY app srv\n", "not certain"),
        ("FROM b\nWORKDIR $X\nCOPY app srv\n", "not certain"),
        ("FROM b\nCOPY --parents app /srv\n", "not certain"),
        ("FROM b\nCOPY --exclude=*.json app /srv\n", "not certain"),
        ("FROM b\nCOPY [a]pp /srv\n", "not certain"),
        ("FROM b\nCOPY **/x /srv\n", "not certain"),
        ("FROM b\nCOPY ../app /srv\n", "not certain"),
        ("FROM b\nCOPY app /srv\nADD https://example.com/x.tar /srv/\n", f"ADD could replace {CONFIG}"),
        ("FROM b\nCOPY app /srv\nADD run.sh /srv/\n", "ADD could replace"),
        ("FROM b\nCOPY app /srv\nCOPY --from=nginx /x /\n", "COPY could replace"),
        ("FROM b\nCOPY app /srv\nCOPY <<EOF /srv/appsettings.json\nx\nEOF\n", "COPY could replace"),
        ("FROM b\nVOLUME /srv\nCOPY app /srv/web\n", "VOLUME"),
        ('FROM b\nCOPY app /srv/web\nVOLUME ["/x", "/srv"]\n', "VOLUME"),
        ("FROM b\nCOPY app /srv\nFROB x\n", "FROB is not known"),
        ("COPY app /srv\n", "no FROM"),
        ("", "no FROM"),
    ],
)
def test_whatever_is_not_certain_is_said_with_its_line(context: Path, dockerfile: str, expected: str) -> None:
    assert expected in reason(read(context, dockerfile))


def test_arguments_that_are_given_count_in_from(context: Path) -> None:
    dockerfile = "ARG BASE\nFROM a AS one\nCOPY app /a\nRUN x\nFROM ${BASE}\nCOPY app /b\n"
    assert "depends" in reason(read(context, dockerfile))
    found = read(context, dockerfile, settings=BuildSettings(args={"BASE": "c"}))
    assert paths(found) == ("b/appsettings.json",)
    assert isinstance(found, Placement)
    assert found.bases == ("c",)
    assert "RUN" in reason(read(context, dockerfile, settings=BuildSettings(args={"BASE": "One"})))


def test_the_target_is_the_stage_that_counts(context: Path) -> None:
    dockerfile = "FROM a AS one\nCOPY app /a\nFROM one AS two\nRUN x\n"
    assert paths(read(context, dockerfile, settings=BuildSettings(target="One"))) == ("a/appsettings.json",)
    assert paths(read(context, dockerfile, settings=BuildSettings(target="0"))) == ("a/appsettings.json",)
    assert "RUN" in reason(read(context, dockerfile, settings=BuildSettings(target="two")))
    assert "no stage three" in reason(read(context, dockerfile, settings=BuildSettings(target="three")))


def test_what_is_ignored_is_not_in_the_image(context: Path) -> None:
    (context / ".dockerignore").write_text("**/appsettings.json\n!other/appsettings.json\n", encoding="utf-8")
    assert paths(read(context, "FROM b\nCOPY . /srv\nRUN x\n")) == ()
    assert "other" in reason(read(context, "FROM b\nCOPY . /srv\nRUN x\n", "other/appsettings.json"))


def test_an_ignore_file_that_only_some_builders_read_is_not_certain(context: Path) -> None:
    (context / "Dockerfile.dockerignore").write_text("app\n", encoding="utf-8")
    assert "dockerignore" in reason(read(context, "FROM b\nCOPY . /srv\n"))


def test_links_in_the_context_are_not_certain(context: Path) -> None:
    (context / "link").symlink_to("app")
    assert "is a link" in reason(read(context, "FROM b\nCOPY link /srv\n"))
    assert paths(read(context, "FROM b\nCOPY . /srv\n")) == ("srv/app/appsettings.json",)


def test_windows_paths_have_a_drive_and_backslashes(context: Path) -> None:
    dockerfile = "# escape=`\nFROM b\nWORKDIR C:\\inetpub\nCOPY app\\ wwwroot\\\n"
    assert paths(read(context, dockerfile, system="windows")) == ("inetpub/wwwroot/appsettings.json",)
    dockerfile = "FROM b\nCOPY app c:/site\n"
    assert paths(read(context, dockerfile, system="windows")) == ("site/appsettings.json",)
    assert "not certain" in reason(read(context, "FROM b\nCOPY app D:/site\n", system="windows"))
    assert "not certain" in reason(read(context, "FROM b\nCOPY APP C:/site\n", system="windows"))


def test_other_stages_than_the_last_one_may_hold_doubts(context: Path) -> None:
    dockerfile = "FROM a AS tools\nCOPY . /src\nRUN make\nFROM b\nCOPY app /srv\n"
    assert paths(read(context, dockerfile)) == ("srv/appsettings.json",)


def test_a_wildcard_of_many_stars_is_not_tried(context: Path) -> None:
    assert "not certain" in reason(read(context, f"FROM b\nCOPY {'*a' * 30} /srv/\n"))


def test_a_dockerfile_that_is_not_there_is_left_to_the_build_to_complain_about(context: Path) -> None:
    assert "cannot be read" in reason(place(context, BuildSettings(dockerfile="Nothing"), (CONFIG,), "linux"))
