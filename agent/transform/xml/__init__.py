"""One lossless XML document for structured variables, config variables and config transforms.

Read `document.py` first: it parses and edits. `scan.py` finds the pieces of a text, `nodes.py` holds them as a tree,
`mirror.py` keeps the same tree in lxml so that XPath runs in C, and `write.py` puts the pieces together again.
"""
