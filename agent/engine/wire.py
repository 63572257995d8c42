"""The engine's JSON, as far as it is read: every key may be missing or null, on some engine it is.

Unknown keys are ignored. What has the wrong type is a `msgspec.ValidationError`, which the callers turn into
a HostError.
"""

from __future__ import annotations

from msgspec import Raw, Struct, field


class HealthEntry(Struct, rename="pascal"):
    output: str | None = None


class HealthState(Struct, rename="pascal"):
    status: str | None = None
    log: list[HealthEntry] | None = None


class State(Struct, rename="pascal"):
    status: str | None = None
    exit_code: int | None = None
    error: str | None = None
    oom_killed: bool | None = field(default=None, name="OOMKilled")
    started_at: str | None = None
    finished_at: str | None = None
    health: HealthState | None = None


class PortBinding(Struct, rename="pascal"):
    host_ip: str | None = None
    host_port: str | None = None


class Endpoint(Struct):
    address: str | None = field(default=None, name="IPAddress")
    address6: str | None = field(default=None, name="GlobalIPv6Address")


PortMap = dict[str, list[PortBinding] | None]


class NetworkSettings(Struct, rename="pascal"):
    ports: PortMap | None = None
    networks: dict[str, Endpoint | None] | None = None
    address: str | None = field(default=None, name="IPAddress")


class Healthcheck(Struct, rename="pascal"):
    test: list[str] | None = None


class Config(Struct, rename="pascal"):
    """A container's or an image's."""

    image: str | None = None
    labels: dict[str, str] | None = None
    healthcheck: Healthcheck | None = None
    exposed_ports: dict[str, object] | None = None
    on_build: list[str] | None = None
    env: list[str] | None = None
    tty: bool | None = None
    stop_timeout: int | None = None


class HostConfig(Struct, rename="pascal"):
    port_bindings: PortMap | None = None


class Container(Struct, rename="pascal"):
    """`GET /containers/{id}/json`."""

    id: str
    name: str | None = None
    created: str | None = None
    image: str | None = None
    restart_count: int | None = None
    state: State | None = None
    config: Config | None = None
    host_config: HostConfig | None = None
    network_settings: NetworkSettings | None = None


class Created(Struct, rename="pascal"):
    """`POST /containers/create` and `POST /containers/{id}/exec`."""

    id: str


class Execution(Struct, rename="pascal"):
    """`GET /exec/{id}/json`."""

    running: bool | None = None
    exit_code: int | None = None


class ListedPort(Struct):
    """A published port in `GET /containers/json`."""

    private: int = field(default=0, name="PrivatePort")
    public: int | None = field(default=None, name="PublicPort")
    address: str | None = field(default=None, name="IP")
    protocol: str | None = field(default=None, name="Type")


class ListedContainer(Struct, rename="pascal"):
    id: str
    ports: list[ListedPort] | None = None


class BuildStep(Struct, rename="pascal"):
    """How the classic builder made an image."""

    cmd: list[str] | None = None


class Image(Struct, rename="pascal"):
    """`GET /images/{name}/json`."""

    id: str
    repo_tags: list[str] | None = None
    repo_digests: list[str] | None = None
    size: int | None = None
    os: str | None = None
    architecture: str | None = None
    os_version: str | None = None
    config: Config | None = None
    parent: str | None = None
    created: str | None = None
    container_config: BuildStep | None = None


class ListedImage(Struct, rename="pascal"):
    id: str


class Version(Struct, rename="pascal"):
    version: str | None = None
    os: str | None = None
    arch: str | None = None


class Information(Struct):
    """`GET /info`."""

    os_version: str | None = field(default=None, name="OSVersion")


class Ended(Struct, rename="pascal"):
    """`POST /containers/{id}/wait`."""

    status_code: int | None = None


class ProgressDetail(Struct):
    current: int | None = None
    total: int | None = None


class ErrorDetail(Struct):
    message: str | None = None
    code: int | None = None


class Event(Struct):
    """One line of the stream that a build, a pull or a push answers."""

    stream: str | None = None
    status: str | None = None
    id: str | None = None
    error: str | None = None
    error_detail: ErrorDetail | None = field(default=None, name="errorDetail")
    progress: ProgressDetail | None = field(default=None, name="progressDetail")
    aux: Raw = field(default_factory=Raw)


class Aux(Struct):
    """The result inside an event: `image` of a build, `digest` of a push."""

    image: str = field(default="", name="ID")
    digest: str = field(default="", name="Digest")
