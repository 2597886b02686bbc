"""Locks made, checked and kept to: what the verbs do with envctl.lock."""

from envctl.locking.checking import check
from envctl.locking.frozen import Frozen
from envctl.locking.making import Maker
from envctl.locking.telling import compared, moved, remedy

__all__ = ["Frozen", "Maker", "check", "compared", "moved", "remedy"]
