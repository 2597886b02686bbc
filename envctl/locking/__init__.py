"""Locks made, checked and kept to: what the verbs do with envctl.lock."""

from envctl.lock.text import existing
from envctl.locking.checking import check
from envctl.locking.frozen import Frozen
from envctl.locking.making import Maker, make
from envctl.locking.telling import told

__all__ = ["Frozen", "Maker", "check", "existing", "make", "told"]
