"""Secrets that a Dockerfile would bake into the image are refused, with the line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import BuildError
from agent.images.leaks import refuse_leaks
from agent.images.settings import BuildSettings
from agent.variables import Variables
from tests.objections import objection

VARIABLES = Variables.of(
    {
        "NuGet.ApiKey": "s3cret-value",
        "Made.Url": "https://u:#{NuGet.ApiKey}@host/",
        "Pin": "4711",
        "Short": "80",
        "Plain": "plain-value",
    },
    sensitive=("NuGet.ApiKey", "Pin", "Short"),
)
SECRETS = BuildSettings(secrets={"npm-token": "npm_0123456789", "tls": "----key\nlines----\n"})


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[..., None]:
    def judge(text: str, settings: BuildSettings = SECRETS, **files: str) -> None:
        (tmp_path / "Dockerfile").write_text(f"FROM a AS first\n{text}\n", encoding="utf-8")
        for name, content in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8")
        refuse_leaks(tmp_path, settings, VARIABLES)

    return judge


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ARG NUGET_API_KEY", 2),
        ("ARG A\n\nARG B=1 NuGet_ApiKey=x", 4),
        ("ENV nuget-api-key=x", 2),
        ("ENV NUGET_APIKEY x y", 2),
        ("ENV A=b \\\n # why\n  NPM_TOKEN=$X", 2),
        ("# escape=`\nARG NpmToken", 3),
        ("ENV KEY=s3cret-value", 2),
        ("ENV KEY='s3cret'-val\\ue", 2),
        ("ENV KEY s3cret-value", 2),
        ("LABEL key=s3cret-value", 2),
        ("RUN curl -H 'Key: s3cret-value' https://h/", 2),
        ("RUN curl https://u:s3cret-value@host/", 2),
        ('CMD ["run", "--key=s3cret-value"]', 2),
        ("ONBUILD RUN login s3cret-value", 2),
        ("RUN <<EOF\nlogin s3cret-value\nEOF", 2),
        ("COPY <<EOF /x\nnpm_0123456789\nEOF", 2),
        ("ENV PIN_CODE=4711", 2),
        ("ARG P=4711", 2),
    ],
)
def test_what_history_would_keep_is_refused_with_its_line(refuse: Callable[..., None], text: str, line: int) -> None:
    with pytest.raises(BuildError, match=rf"^Dockerfile:{line}: .* is? ?secret; give it as build.secrets") as refused:
        refuse(text)
    assert "s3cret-value" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "ARG VERSION\nENV PLAIN=plain-value",
        "RUN --mount=type=secret,id=npm-token,env=NPM_TOKEN npm ci",
        "RUN --mount=type=secret,id=npm-token NPM_TOKEN=$(cat /run/secrets/npm-token) npm ci",
        "EXPOSE 80\nENV PORT=80",
        "RUN test x4711y",
        "FROM registry/s3cret-value",
        "# ENV A=s3cret-value",
        "ENV NPM_TOKEN_FILE=/run/secrets/npm-token",
        "ENV",
        "ARG =",
    ],
)
def test_what_leaves_nothing_behind_is_left_alone(refuse: Callable[..., None], text: str) -> None:
    assert objection(lambda: refuse(text)) == ""


@pytest.mark.parametrize("args", [{"X": "s3cret-value"}, {"X": "a=s3cret-value"}, {"NUGET_API_KEY": "x"}])
def test_build_arguments_with_secrets_are_refused(refuse: Callable[..., None], args: dict[str, str]) -> None:
    with pytest.raises(BuildError, match=r"^build\.args\.\w+: .*history would keep it"):
        refuse("", BuildSettings(args=args))


@pytest.mark.parametrize(
    "copy",
    [
        "COPY . /app",
        "COPY app /app",
        "ADD app/*.txt /x/",
        'COPY --chown=1 ["other", "app/token.txt", "/x/"]',
        "COPY ${DIR}/ /x",
        "COPY ./app/token.txt /",
        "COPY /app /",
    ],
)
def test_copy_of_a_file_that_is_a_secret_is_refused(refuse: Callable[..., None], copy: str) -> None:
    with pytest.raises(BuildError, match=r"^Dockerfile:2: (COPY|ADD) would put app/token\.txt, .*\.dockerignore"):
        refuse(copy, **{"app__token.txt": "npm_0123456789\n"})


@pytest.mark.parametrize(
    "copy", ["COPY other /", "COPY --from=first app /", "ADD https://h/app /", "RUN cat app/token.txt"]
)
def test_copies_that_do_not_take_it_are_left_alone(refuse: Callable[..., None], copy: str) -> None:
    assert objection(lambda: refuse(copy, **{"app__token.txt": "npm_0123456789\n", "other": "x"})) == ""


def test_ignored_secret_may_lie_about(refuse: Callable[..., None]) -> None:
    files = {"app__token.txt": "npm_0123456789\n", ".dockerignore": "**/token.txt\n"}
    assert objection(lambda: refuse("COPY . /", **files)) == ""


def test_named_secret_files_are_refused_whatever_they_hold(refuse: Callable[..., None]) -> None:
    settings = BuildSettings(secret_files=["**/.npmrc", "keys"])
    with pytest.raises(BuildError, match=r"would put app/\.npmrc, which"):
        refuse("COPY app /", settings, **{"app__.npmrc": "//r/:_authToken=x"})
    with pytest.raises(BuildError, match="would put keys/a, which"):
        refuse("COPY keys/a /", settings, keys__a="x")


def test_configuration_with_secrets_among_other_things_is_the_deployments_own(refuse: Callable[..., None]) -> None:
    files = {"app__settings.json": '{"Key": "npm_0123456789", "Other": "s3cret-value"}'}
    assert objection(lambda: refuse("COPY . /", **files)) == ""


def test_dockerfile_that_is_not_there_is_not_judged(tmp_path: Path) -> None:
    assert objection(lambda: refuse_leaks(tmp_path, BuildSettings(), VARIABLES)) == ""
