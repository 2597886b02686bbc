"""Secrets: resolved when a unit needs them, known elsewhere by a keyed digest only."""

from envctl.secrets.sources import SecretError
from envctl.secrets.store import SecretStore

__all__ = ["SecretError", "SecretStore"]
