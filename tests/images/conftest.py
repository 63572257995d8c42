"""Images to look into: see `tests/commands/conftest.py`."""

from tests.commands.conftest import images

__all__ = ["images"]
