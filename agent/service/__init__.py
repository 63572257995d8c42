"""The listener that takes deployments over HTTPS, and the client that pushes them.

The listener unpacks what it gets and starts the same `dockwright run` in a child process; it never runs a step
itself, and imports none of the heavy libraries.
"""
