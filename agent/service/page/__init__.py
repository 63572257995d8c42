"""The status page: rendered by a short-lived process, so that the listener itself stays small.

`facts.py` gathers, `render.py` is the process, `routes.py` is what the listener answers with.
"""
