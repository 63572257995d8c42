"""XML document transforms (XDT), the language of .NET's `web.Release.config`, as its reference engine runs it.

Start with `document.py`, which takes bytes and gives bytes; `engine.py` walks the transform file, `transforms.py` has
a function for each transform, `locators.py` builds their XPaths, and `indentation.py` lays out what they put in.
"""

from agent.transform.xdt.document import Layout, XdtResult, transform_document
from agent.transform.xdt.files import xdt_files
from agent.transform.xdt.report import XdtFatal, XdtMessage

__all__ = ["Layout", "XdtFatal", "XdtMessage", "XdtResult", "transform_document", "xdt_files"]
