"""Secrets: values are read when a unit needs them; everything else uses a keyed digest."""

from envctl.secrets.sources import SecretError
from envctl.secrets.store import SecretStore

__all__ = ["SecretError", "SecretStore"]
