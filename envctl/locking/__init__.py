"""Locks made, checked and kept to: what the verbs do with envctl.lock."""

from envctl.lock.text import existing
from envctl.locking.checking import check
from envctl.locking.frozen import Frozen
from envctl.locking.making import make
from envctl.locking.telling import compared, moved, remedy

__all__ = ["Frozen", "check", "compared", "existing", "make", "moved", "remedy"]
