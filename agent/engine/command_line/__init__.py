"""ContainerHost by the docker command line on the machine of the engine, over any `Shell`."""

from agent.engine.command_line.host import CommandLineHost

__all__ = ["CommandLineHost"]
