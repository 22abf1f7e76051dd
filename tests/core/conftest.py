"""Fixtures of the core's tests."""

from tests.labs import lab, wait_until

__all__ = ["lab", "wait_until"]
