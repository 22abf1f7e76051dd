"""The version, the only place where it stands."""

__all__ = ["VERSION"]

VERSION = "0.1.0"
