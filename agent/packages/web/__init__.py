"""HTTP as feeds need it: credentials for one place only, patience with bad networks, none with lies."""

from agent.packages.patience import Patience
from agent.packages.web.access import Access, Address, parse_address
from agent.packages.web.client import Answer, WebClient
from agent.packages.web.download import Expected

__all__ = ["Access", "Address", "Answer", "Expected", "Patience", "WebClient", "parse_address"]
