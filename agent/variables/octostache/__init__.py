"""The `#{...}` language. It knows strings and variables only: no files, no logging."""

from agent.variables.octostache.evaluator import Evaluator
from agent.variables.octostache.filters import Filter, filter_names
from agent.variables.octostache.lexical import folded
from agent.variables.octostache.names import argument_names
from agent.variables.octostache.parser import TemplateError, parse
from agent.variables.octostache.printing import token_text, tokens_text
from agent.variables.octostache.rendering import is_truthy
from agent.variables.octostache.results import Evaluation
from agent.variables.octostache.syntax import Template

__all__ = [
    "Evaluation",
    "Evaluator",
    "Filter",
    "Template",
    "TemplateError",
    "argument_names",
    "filter_names",
    "folded",
    "is_truthy",
    "parse",
    "token_text",
    "tokens_text",
]
