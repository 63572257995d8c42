"""What leaves the process: masked, never forged, shown to a person or told to a server."""

from agent.report.masking import Masker
from agent.report.opening import OutputChoice, open_report, silent_report
from agent.report.report import Report

__all__ = ["Masker", "OutputChoice", "Report", "open_report", "silent_report"]
