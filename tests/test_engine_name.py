import pytest

from agent.engine_name import engine_name


@pytest.mark.parametrize(
    "urls",
    [
        ("unix://", "unix:///var/run/docker.sock", "unix:///run/docker.sock", "unix:///run/docker.sock?address=10.0.0.5"),
        ("ssh://host", "ssh://me@HOST:22", "ssh://you@host?engine=cli&key=/k", "ssh://host/"),
        ("ssh://host?socket=/run/mine.sock", "ssh://me@host?engine=api&socket=/var/run/mine.sock"),
        ("winrm://me@host", "winrm://DOMAIN%5Cme@host:5986?transport=kerberos", "winrm://host:5985"),
        ("npipe://", "npipe:////./pipe/docker_engine", "npipe:////./pipe/Docker_Engine"),
        ("memory://east", "memory://EAST"),
    ],
)  # fmt: skip
def test_all_ways_to_write_a_host_are_one(urls: tuple[str, ...]) -> None:
    assert len({engine_name(url) for url in urls}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("unix://", "unix:///run/user/1000/docker.sock"),
        ("ssh://a", "ssh://b"),
        ("ssh://a", "winrm://a"),
        ("ssh://gateway:2201", "ssh://gateway:2202"),
        ("ssh://a", "ssh://a?socket=/run/user/1000/docker.sock"),
        ("npipe://", "npipe:////./pipe/docker_engine_linux"),
        ("memory://east", "memory://west"),
    ],
)
def test_other_engines_have_other_names(one: str, other: str) -> None:
    assert engine_name(one) != engine_name(other)


@pytest.mark.parametrize("text", ["", "nothing", "ssh://[half", "ssh://host:port"])
def test_what_is_no_url_stays_as_it_is(text: str) -> None:
    assert engine_name(text) == text
