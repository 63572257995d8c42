"""What a deployment knows: variables, the files they come from, and the language their values may speak."""

from agent.variables.explanation import TokenExplanation
from agent.variables.files import environment_variables, read_variables, write_variables
from agent.variables.octostache import Evaluation
from agent.variables.variable import Variable
from agent.variables.variables import Variables

__all__ = [
    "Evaluation",
    "TokenExplanation",
    "Variable",
    "Variables",
    "environment_variables",
    "read_variables",
    "write_variables",
]
