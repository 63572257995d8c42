"""The `#{...}` language. It knows strings and variables only: no files, no logging."""

from agent.variables.octostache.evaluator import Evaluation, Evaluator

__all__ = ["Evaluation", "Evaluator"]
