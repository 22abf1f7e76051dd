"""Passwords: what is one, how it is kept (argon2id), and whether one is right, in the same time whoever it is."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from autolog.server.errors import ApiError

__all__ = ["SHORTEST", "check", "is_right", "is_stale", "make"]

SHORTEST = 10
"""Characters that a password has at least."""
_LONGEST = 1000


def check(password: str, user: str = "") -> str:
    """A password that may be set.

    Raises:
        ApiError: 422: too short, too long, or the user's name.
    """
    if not SHORTEST <= len(password) <= _LONGEST:
        raise ApiError(422, "password", f"a password has {SHORTEST} to {_LONGEST} characters")
    if user and password.lower() == user.lower():
        raise ApiError(422, "password", "a password that is the user's name is none")
    return password


def make(password: str) -> str:
    """What is stored of a password: an argon2id hash, with its salt and parameters."""
    return PasswordHasher().hash(password.encode("utf-8", "surrogatepass"))


def is_right(stored: str | None, password: str) -> bool:
    """Whether a password is the one that is stored; without one it takes as long to say no."""
    try:
        PasswordHasher().verify(stored or _nobodys(), password[:_LONGEST].encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def is_stale(stored: str) -> bool:
    """Whether a hash was made with other parameters than those of today."""
    return PasswordHasher().check_needs_rehash(stored)


@cache
def _nobodys() -> str:
    """What the password of a user who is not there is compared with."""
    return make("the password of nobody")
