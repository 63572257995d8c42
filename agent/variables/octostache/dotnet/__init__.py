"""What the filters of the language inherit from .NET: how it reads and writes numbers, dates and times.

The culture is the invariant one throughout, as in the containers that Calamari runs in.
"""
