"""`python -m agent.cli`: the same as `dockwright`."""

from agent.cli.main import main

main()
