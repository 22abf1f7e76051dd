"""Secrets are masked before anything is written. The record says that and where, never what.

Everything that leaves the process as text passes here: arguments, parameters, console lines, source, patches.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from autolog.capture import secrets

__all__ = ["MASK", "Redactor"]

MASK = "[redacted]"

# A line without one of these and without a long word holds no secret: most console lines stop here.
_HINTS = (
    "pass",
    "secret",
    "token",
    "key",
    "cred",
    "auth",
    "bearer",
    "cookie",
    "pwd",
    "conn",
    "webhook",
    "-signature",
    "://",
)
_LONG = 14
_SHORT = 200
_REMEMBERED = 4096
_NAME = re.compile(
    r"(?<![\w.\-])(?P<dashes>-{0,2})(?P<name>[A-Za-z_][\w.\-]{1,80})(?P<quote>(?:\\?[\"'])?)\]?"
    r"(?P<between>[ \t]{0,8}(?:=>|:=|==?|:(?!//|:))[ \t]{0,8}|[ \t]+|,[ \t]*)"
)
_VALUE = re.compile(
    r"(?P<scheme>(?:(?i:bearer|basic|digest)[ \t]+)?)"
    r"(?:(?P<prefix>[rbfuRBFU]{0,2})(?P<quote>\"\"\"|'''|\\?[\"'])(?P<quoted>.*?)(?P=quote)|(?P<bare>[^\s,;&)}\]\"']+))"
)
_ANNOTATED = re.compile(r"[ \t]*[\w.\[\], |]{1,60}=[ \t]*(?=[\"'])")
_DEFAULT = re.compile(
    r"([\"'])--?(?P<name>[A-Za-z][\w\-]*)\1[^\n]*?\bdefault[ \t]*=[ \t]*([\"'])(?P<value>[^\"'\n]+)\3"
)
_PLACEHOLDER = re.compile(
    r"(?is)none|null|true|false|undefined|.*\*{3}.*|.*(?:\.{3}|…)|<.*>|\[.*\]|\$\{?\w+\}?|\{.*\}|%s|%\(\w+\)s|x{3,}"
)


class Redactor:
    """Masks secrets and counts where it did.

    Values found under a secret's name (also in the environment) are remembered, in memory only, and masked wherever
    they turn up again: a password given in argv stays out of the console too.

    Args:
        enabled: off, everything passes unchanged.
        extra_names: further names to mask: any part of a name (``patient`` covers ``patient_id``); case, ``-`` and
            ``_`` do not matter.
        environment: where secrets by name are learnt from; ``None``: the process's own environment.
    """

    def __init__(
        self,
        enabled: bool = True,
        extra_names: Iterable[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.enabled = enabled
        self.hits: dict[str, int] = {}
        self._extra = tuple(name.lower().replace("-", "_") for name in extra_names if name)
        self._hints = (*_HINTS, *self._extra)
        self._known: set[str] = set()
        self._harmless: set[str] = set()  # names and values of parameters come again with every fit
        self._known_pattern: re.Pattern[str] | None = None
        if enabled:
            for name, value in (os.environ if environment is None else environment).items():
                if self._strength(name):
                    self.learn(value)

    def take_hits(self) -> dict[str, int]:
        """The counts by place since the last call, to be written as ``Health(kind="redacted")``."""
        hits, self.hits = self.hits, {}
        return hits

    def text(self, text: str, where: str = "text") -> str:
        """``text`` with the secrets in it masked; the very same object where there are none."""
        if text in self._harmless:
            return text
        if (masked := self._text(text, where, code=False)) != text:
            return masked
        if len(text) <= _SHORT:
            if len(self._harmless) >= _REMEMBERED:
                self._harmless.clear()
            self._harmless.add(text)
        return text

    def code(self, text: str, where: str = "source") -> str:
        """Like :meth:`text`, for source and patches: a name's value is a secret only where it is a literal.

        ``password = getpass()`` stays; ``password = "hunter2"`` does not.
        """
        return self._text(text, where, code=True)

    def value(self, name: str, value: Any, where: str = "") -> Any:
        """``value``, known under ``name``, masked through all levels of dicts, lists, tuples and sets.

        Args:
            name: the parameter, field or variable.
            value: any object; it is never changed, and returned as it is where nothing was masked in something that
                is no container.
            where: the place ``hits`` counts it under, before the name: ``args`` gives ``args.api_key``.
        """
        if not self.enabled:
            return value
        return self._value(name, value, f"{where}.{name}" if where else name, self._strength(name), 0)

    def argv(self, argv: Iterable[str], where: str = "argv") -> list[str]:
        """A command line, masked: ``--token X``, ``--token=X``, ``db.password=X`` and everything :meth:`text` finds."""
        if not self.enabled:
            return list(argv)
        result: list[str] = []
        name = ""
        for word in argv:
            if name and not word.startswith("--"):
                result.append(self._hide(word, f"{where}.{name}", learn=True))
                name = ""
                continue
            option, equals, rest = word.partition("=")
            bare = option.lstrip("-+~")
            secret = re.fullmatch(r"[A-Za-z][\w.\-/@]*", bare) is not None and self._strength(bare)
            name = bare if secret and not equals and option.startswith("-") else ""
            if secret and rest:
                result.append(f"{option}={self._hide(rest, f'{where}.{bare}', learn=True)}")
            else:
                result.append(self.text(word, where))
        return result

    def args(self, values: Mapping[str, Mapping[str, Any]], where: str = "args") -> dict[str, dict[str, Any]]:
        """Parsed arguments as in :class:`autolog.events.Args`: ``value`` and ``default`` are masked by their name."""
        return {
            name: {
                key: self.value(name, value, where) if key in {"value", "default"} else value
                for key, value in facts.items()
            }
            for name, facts in values.items()
        }

    def _strength(self, name: str) -> secrets.Strength:
        if self._extra:
            low = name.lower().replace("-", "_")
            if any(extra in low for extra in self._extra):
                return "strong"
        return secrets.secret_name(name)

    def _count(self, where: str) -> None:
        self.hits[where] = self.hits.get(where, 0) + 1

    def _hide(self, value: str, where: str, *, learn: bool) -> str:
        if not value or value == MASK or _PLACEHOLDER.fullmatch(value):
            return value
        if learn:
            self.learn(value)
        self._count(where)
        return MASK

    def known(self) -> list[str]:
        """The secrets themselves, for the sidecar alone: what was given in argv must not stand in a patch either."""
        return sorted(self._known)

    def learn(self, value: str) -> None:
        """Mask ``value`` wherever it turns up from now on, unless it is too plain a word for that."""
        # Short or plain words would be masked all over the console; paths point at a secret and are not one.
        plain = value.isdigit() or (len(value) < 12 and value.isalpha() and value.islower())
        if self.enabled and len(value) >= 8 and not plain and value[0] not in "/~." and value not in self._known:
            self._known.add(value)
            self._harmless.clear()
            longest_first = sorted(self._known, key=len, reverse=True)
            self._known_pattern = re.compile("|".join(map(re.escape, longest_first)))

    def _value(self, name: str, value: Any, where: str, strength: secrets.Strength, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            hide = strength == "strong" or (strength == "weak" and value[:1].isalnum())  # "<pad>", "|" are no logins
            return self._hide(value, where, learn=True) if hide else self.text(value, where)
        if isinstance(value, (int, float, complex)):
            return self._mask(where) if strength == "strong" else value
        return self._container(name, value, where, strength, depth)

    def _container(self, name: str, value: Any, where: str, strength: secrets.Strength, depth: int) -> Any:
        if depth > 50:  # a container that holds itself
            return "…"
        if isinstance(value, Mapping):
            return {
                self.text(key, where) if isinstance(key, str) else key: self._value(
                    str(key), item, f"{where}.{key}", strength or self._strength(str(key)), depth + 1
                )
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple, set, frozenset)):
            items = [self._value(name, item, where, strength, depth + 1) for item in value]
            return tuple(items) if isinstance(value, tuple) else items
        return self._foreign(name, value, where, strength, depth)

    def _foreign(self, name: str, value: Any, where: str, strength: secrets.Strength, depth: int) -> Any:
        """Any other object is written as its fields (a dataclass) or its text, so that is what is judged."""
        import msgspec

        try:
            plain = msgspec.to_builtins(value, enc_hook=repr)
        except Exception:  # a foreign repr may raise anything; what cannot be read is not written either
            return f"<{type(value).__name__}>"
        if isinstance(plain, (bytes, bytearray, memoryview)):
            return value
        masked = self._value(name, plain, where, strength, depth + 1)
        return value if masked == plain else masked

    def _text(self, text: str, where: str, *, code: bool) -> str:
        if not self.enabled or not text:
            return text
        if self._known_pattern is not None:
            text = self._known_pattern.sub(lambda _: self._mask(where), text)
        low = text.lower()
        named = _holds(low, self._hints)
        if not named and not _long_word(low):
            return text
        text = secrets.shapes(text, low, lambda: self._mask(where))
        if named:
            text = self._named(text, where, code=code)
        return text

    def _mask(self, where: str) -> str:
        self._count(where)
        return MASK

    def _named(self, text: str, where: str, *, code: bool) -> str:
        pieces: list[str] = []
        done = 0
        for start, end in self._secret_spans(text, code=code):
            if start >= done:
                pieces += (text[done:start], self._mask(where))
                done = end
        if not pieces:
            return text
        return "".join((*pieces, text[done:]))

    def _lines(self, text: str) -> list[tuple[int, int]]:
        """The lines that hold a hint; in a source file these are few."""
        low = text.lower()
        if len(low) != len(text):  # a few letters change their length; then positions would not fit
            return [(0, len(text))]
        lines: set[tuple[int, int]] = set()
        for hint in self._hints:
            at = low.find(hint)
            while at >= 0:
                end = low.find("\n", at)
                end = len(low) if end < 0 else end
                lines.add((low.rfind("\n", 0, at) + 1, end))
                at = low.find(hint, end)
        return sorted(lines)

    def _span(self, match: re.Match[str], text: str, *, code: bool) -> tuple[int, int] | None:
        """Where the value of a name stands, if that is a secret."""
        strength = self._strength(match["name"])
        if not strength:
            return None
        start = match.end()
        if code and match["between"].strip() == ":" and (annotated := _ANNOTATED.match(text, start)):
            start = annotated.end()  # password: str = "…"
        value = _VALUE.match(text, start)
        if value is None or not _is_secret_value(match, value, strength, code=code):
            return None
        return value.span("bare" if value["bare"] is not None else "quoted")

    def _secret_spans(self, text: str, *, code: bool) -> list[tuple[int, int]]:
        spans: list[tuple[int, int]] = []
        for begin, end in self._lines(text):
            for match in _NAME.finditer(text, begin, end):
                span = self._span(match, text, code=code)
                if span is not None:
                    spans.append(span)
            if code:
                spans += [m.span("value") for m in _DEFAULT.finditer(text, begin, end) if self._strength(m["name"])]
        spans.sort()
        return spans


def _holds(lower: str, hints: tuple[str, ...]) -> bool:
    for hint in hints:  # noqa: SIM110  any() costs three times as much, and every console line comes here
        if hint in lower:
            return True
    return False


def _long_word(text: str) -> bool:
    for word in text.split():  # noqa: SIM110  the same
        if len(word) >= _LONG:
            return True
    return False


def _is_secret_value(name: re.Match[str], value: re.Match[str], strength: secrets.Strength, *, code: bool) -> bool:
    quoted, bare = value["quoted"], value["bare"]
    content: str = bare if quoted is None else quoted
    if not content or content.startswith(MASK[:-1]) or _PLACEHOLDER.fullmatch(content):
        return False
    between = name["between"].strip()
    plain = content.isalpha() and content.islower()
    if not between:  # `--token X`; in prose a plain word follows, in a usage text the option's name in capitals
        return name["dashes"] == "--" and not plain and content[0].isalnum() and not content.isupper()
    if between == "==":
        return quoted is not None and strength == "strong"
    if between == ",":  # os.environ.setdefault("API_KEY", "…")
        return bool(name["quote"] and quoted and secrets.looks_like_token(quoted))
    if quoted is None:
        return secrets.looks_like_token(content) if code or strength == "weak" else True
    return strength == "strong" or _weak_literal(quoted)


def _weak_literal(text: str) -> bool:
    """Whether a quoted text may be a token: not a special token of a text model, not prose, not a name."""
    if len(text) < 6 or not text[0].isalnum() or any(c.isspace() for c in text):
        return False
    return any(c.isdigit() for c in text) or (not text.isupper() and "token" not in text.lower())
