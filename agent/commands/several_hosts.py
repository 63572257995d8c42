"""`dockwright run` with `--host` repeated: the same deployment on each host, and what stands where if one fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent.engine_name import engine_name
from agent.errors import DockwrightError, InputError
from agent.host import HostAddress
from agent.report import Report
from agent.report.events import ArtifactMade, Event, SecretLearned
from agent.rolling import Standing, require_success, roll, tell
from agent.step import Outcome


def run_on_each(
    hosts: Sequence[HostAddress], rolling: int, report: Report, deploy: Callable[[HostAddress, Report], Outcome]
) -> Outcome:
    """Deploy to each host, `rolling` at a time and in order; the outputs are those that are the same on all.

    RolledError, with the first failure's exit code, as soon as one has failed and those beside it have ended.
    """
    _require_distinct(hosts)
    outcomes: dict[str, Outcome] = {}

    def attempt(host: HostAddress) -> Standing:
        own = Report(_Named(host.url, report), masker=report.masker)
        try:
            outcomes[host.url] = deploy(host, own)
            own.success({})
        except DockwrightError as error:
            own.failure(error)
            reason = str(error).removeprefix(f"{host.url}: ")
            return Standing(place=host.url, said=f"failed: {reason}", exit_code=error.exit_code)
        finally:
            own.close()
        return Standing(place=host.url, said="succeeded")

    try:
        standings = roll(hosts, rolling, attempt, lambda host: host.url)
    except BaseException:
        done = [host.url for host in hosts if host.url in outcomes]
        report.warning(f"stopped early; it stands on {', '.join(done) or 'no host'}, and on no other")
        raise
    require_success(standings)
    outputs = _common([outcome.outputs for outcome in outcomes.values()])
    for name, value in outputs.items():
        report.set_variable(name, value)
    return Outcome(outputs=outputs)


def _require_distinct(hosts: Sequence[HostAddress]) -> None:
    seen: dict[str, str] = {}
    for host in hosts:
        other = seen.setdefault(engine_name(host.url), host.url)
        if other is not host.url:
            raise InputError(f"{other} and {host.url} are the same host; give it once")


def _common(outputs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = outputs
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}


class _Named:
    """Shows what happens on one host in the report on all of them."""

    def __init__(self, place: str, report: Report) -> None:
        self._place = place
        self._report = report

    @property
    def transfer_interval(self) -> float:
        return 3600  # the progress of several transfers at once would hide everything else

    def show(self, event: Event) -> None:
        if isinstance(event, SecretLearned | ArtifactMade):
            self._report.relay(event)
        tell(event, self._place, self._report)

    def close(self) -> None:
        """The report on all of them goes on."""
