"""What this machine lacks for envctl to work, how to mend it here, and mending it."""

from envctl.doctor.checks import examine
from envctl.doctor.finding import Finding, Repair
from envctl.doctor.repair import fix

__all__ = ["Finding", "Repair", "examine", "fix"]
