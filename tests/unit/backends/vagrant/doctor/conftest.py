"""See `tests.support.fake_host`."""

from tests.support.fake_host import machine

__all__ = ["machine"]
