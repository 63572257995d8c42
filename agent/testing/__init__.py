"""MemoryHost: a container engine that exists only in memory, for tests of steps and of plugins.

It passes the same contract tests as the real ones, so what a test sees is what an engine would do: names and
ports conflict, images must exist, a container that exits under a restart policy keeps restarting. What its
containers do is told by a function from their spec to a `Behaviour`.

    host = MemoryHost(behaviour=lambda spec: Behaviour(exits_with=1, output=("no database",)))
    host.add_image("registry:5000/app:1")
    host.fail_next("start", ContainerError("the disk is on fire"))
"""

from agent.testing.memory_container import Behaviour, Execution
from agent.testing.memory_host import Login, MemoryHost

__all__ = ["Behaviour", "Execution", "Login", "MemoryHost"]
