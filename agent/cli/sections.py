"""The list of commands as `dockwright --help` shows it: by what one wants to do, each with a whole sentence."""

from __future__ import annotations

from typing import Final

import click

SECTIONS: Final = {
    "Deploy": ("run", "plan", "rollback", "history"),
    "What runs": ("ps", "logs", "stop", "start", "scale", "prune"),
    "Packages": ("init", "pack", "extract", "acquire", "packages"),
    "Configuration": ("evaluate", "variables", "transform", "xdt", "configure"),
    "Images": ("image",),
    "Hosts and agents": ("doctor", "install", "uninstall", "listen", "push", "trust"),
}

BEGIN: Final = """\b
Begin with:
  dockwright doctor                          is everything there?
  dockwright init iis SITE                   a bundle from a site's folder
  dockwright plan BUNDLE --variables FILE    what would happen
  dockwright run BUNDLE --variables FILE     deploy it"""


class Sections(click.Group):
    """Commands under headings; one that has none is listed last."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """As click's own, which would cut each sentence after so many characters."""
        known = {name: command.get_short_help_str(limit=200) for name, command in self.commands.items()}
        width = max(map(len, known), default=0)
        others = tuple(name for name in known if not any(name in names for names in SECTIONS.values()))
        for heading, names in (*SECTIONS.items(), ("Others", others)):
            rows = [(f"{name:<{width}}", known[name]) for name in names if name in known]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
