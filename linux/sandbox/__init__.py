"""An engine, a registry and a base image to try things on: for the tests and for `make demo`.

What is there is used as it is, what is missing is installed or started, and what was started is written down
so that `down` ends exactly that. Nothing here needs docker-py, or anything else beyond the standard library
and msgspec.
"""

from linux.sandbox.lifecycle import Sandbox, down, up

__all__ = ["Sandbox", "down", "up"]
