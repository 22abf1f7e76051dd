"""What a secret looks like: by the name it goes under, and by its own shape.

Both are guesses, made so that the usual vocabulary of machine learning (``pad_token``, ``max_tokens``, ``tokenizer``,
``keys``, commit hashes, checkpoint paths) is never taken for one.
"""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Strength", "is_random", "looks_like_token", "secret_name", "shapes"]

Strength: TypeAlias = Literal["strong", "weak", ""]
"""``strong``: whatever stands under this name is masked; ``weak``: text is, numbers are not; empty: no secret."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_STRONG_PART = re.compile(r"passw(?:or)?d|passphrase|passcode|credential|api_?key|private_?key|secret(?!ary|ion)")
_KEY_OWNERS = _words(
    "api access private secret signing encryption decrypt encrypt ssh account auth service license admin master deploy"
    " client app subscription"
)
_TOKEN_OWNERS = _words(
    "access auth api bearer refresh session hf hub github gitlab gh bot user my id csrf wandb slack npm pypi oauth jwt"
    " personal sas security"
)
# Words that make a `token` one of a text, not of a login.
_TEXT_TOKENS = _words(
    "pad bos eos unk sep cls mask image video audio special start end stop begin beginning next per first last prefix"
    " suffix soft class dist distillation patch vision text new bot eot sot boi eoi boa eoa input output target source"
    " prompt word sub char register mem memory fim decoder encoder forced max min num n total avg mean each every any"
    " single one extra think thinking newline no is in out query doc document lang language content position separator"
    " classification byte placeholder delimiter break img empty global tile question middle row col column unused dep"
    " current previous prev cost time latency loss head draft expert padding"
)
_PASS_OWNERS = _words(
    "db database user smtp mysql postgres pg redis mongo ftp admin root login email mail http proxy ssh"
)
# A name that ends so says something about the secret, and is not it.
_ABOUT = _words("path file filename dir directory env envvar type length len size count ttl expiry required")


@lru_cache(maxsize=4096)
def secret_name(name: str) -> Strength:
    """Whether what is stored under ``name`` is to be masked.

    Args:
        name: as found: ``api_key``, ``--db-password``, ``HF_TOKEN``, ``trainer.hub_token``. Each part between dots is
            judged, so that everything below ``credentials.`` is one.

    Returns:
        ``"strong"``, ``"weak"`` or ``""``.
    """
    found: Strength = ""
    for part in name.split("."):
        strength = _part(part)
        if strength == "strong":
            return strength
        found = strength or found
    return found


def _part(part: str) -> Strength:
    words = [word.lower() for word in _WORDS.findall(part)]
    if not words or words[-1] in _ABOUT:
        return ""
    if _STRONG_PART.search("_".join(words)):
        return "strong"
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if _strong(words, last, before):
        return "strong"
    return "weak" if _weak(last, before) else ""


def _strong(words: list[str], last: str, before: str) -> bool:
    if last in {"key", "keys"} and before in _KEY_OWNERS:
        return True
    if last == "pass" and before in _PASS_OWNERS:
        return True
    if last == "pwd" and before not in {"", "old"}:  # PWD and OLD_PWD are directories
        return True
    return any(pair in {("connection", "string"), ("conn", "str")} for pair in itertools.pairwise(words))


def _weak(last: str, before: str) -> bool:
    if last == "token":
        return before not in _TEXT_TOKENS
    if last == "tokens":  # counts and lists of words, mostly
        return before in {"access", "auth", "api", "refresh", "bearer"}
    if last.endswith("token"):
        return last[:-5] in _TOKEN_OWNERS
    if last == "signature":  # of a signed URL; elsewhere it is a function's
        return before in {"amz", "goog"}
    return last in {"auth", "authorization", "cookie", "cookies", "bearer", "webhook"}


# One literal that must occur, and the pattern around it: looking for a literal costs next to nothing, and a pattern is
# compiled when its literal first turns up.
_PEM = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?"
_SHAPES = (
    ("AKIA", r"\bAKIA[A-Z0-9]{16}\b"),
    ("ASIA", r"\bASIA[A-Z0-9]{16}\b"),
    ("AIza", r"\bAIza[\w-]{35}"),
    ("ya29.", r"\bya29\.[\w-]{20,}"),
    ("GOCSPX-", r"\bGOCSPX-[\w-]{20,}"),
    ("AccountKey=", r"(?<=AccountKey=)[\w+/=]{20,}"),
    ("SharedAccessKey=", r"(?<=SharedAccessKey=)[\w+/=]{20,}"),
    ("sig=", r"(?<=[?&]sig=)[\w%+/=-]{20,}"),
    ("8Q~", r"\b[\w~.-]{3}8Q~[\w~.-]{31,34}"),
    *((f"gh{kind}_", rf"\bgh{kind}_[A-Za-z0-9]{{30,}}") for kind in "pousr"),
    ("github_pat_", r"\bgithub_pat_\w{22,}"),
    *((f"{kind}-", rf"\b{kind}-[\w-]{{20,}}") for kind in ("glpat", "gldt", "glrt", "glcbt", "glptt", "gloas")),
    ("hf_", r"\bhf_[A-Za-z0-9]{20,}"),
    ("api_org_", r"\bapi_org_[A-Za-z0-9]{20,}"),
    ("sk-", r"\bsk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{20,}"),
    *((kind, rf"\b{kind}[A-Za-z0-9_-]{{24,}}") for kind in ("gsk_", "r8_", "wandb_v1_", "nvapi-", "lin_api_", "ntn_")),
    *((kind, rf"\b{kind}[A-Za-z0-9]{{24,}}") for kind in ("xai-", "pplx-")),
    ("xox", r"\bxox[abeoprs]-[\w-]{10,}"),
    ("xapp-", r"\bxapp-\d-[\w-]{10,}"),
    ("hooks.slack.com/services/", r"(?<=hooks\.slack\.com/services/)[\w/]{20,}"),
    ("discord.com/api/webhooks/", r"(?<=discord\.com/api/webhooks/)[\w/-]{20,}"),
    (":AA", r"\b\d{8,10}:AA[\w-]{33}\b"),
    ("k_live_", r"\b[srp]k_live_[0-9a-zA-Z]{16,}"),
    ("k_test_", r"\b[srp]k_test_[0-9a-zA-Z]{16,}"),
    ("whsec_", r"\bwhsec_[\w+/=]{20,}"),
    ("npm_", r"\bnpm_[A-Za-z0-9]{36}"),
    ("pypi-AgEI", r"\bpypi-AgEI[\w-]{40,}"),
    ("dckr_", r"\bdckr_[a-z]{3}_[\w-]{20,}"),
    ("SG.", r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    ("key-", r"\bkey-[0-9a-f]{32}\b"),
    ("dapi", r"\bdapi[0-9a-f]{32}(?:-\d)?"),
    ("_v1_", r"\bdo[opr]_v1_[0-9a-f]{40,}"),
    ("shp", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    *((f"hv{kind}.", rf"\bhv{kind}\.[\w-]{{20,}}") for kind in "sbr"),
    ("dp.", r"\bdp\.(?:pt|st|ct)\.[\w.]{30,}"),
    ("AGE-SECRET-KEY-1", r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    ("eyJ", r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\beyJ[\w+/-]{60,}={0,2}"),  # JWT, and tokens that are base64 JSON
)
_PRIVATE_KEY = rf"(?s)-----BEGIN {_PEM}-----(?:.*?-----END {_PEM}-----|.*\Z)"
# The same in any case: asked of the lower-cased text.
_CASELESS = (
    ("bearer ", r"(?i)(?<=bearer )(?=[\w.~+/-]*[\d._-])[\w.~+/-]{8,}={0,2}"),
    ("basic ", r"(?i)(?<=authorization: basic )[\w+/-]{4,}={0,2}"),
    ("authorization: ", r"(?i)(?<=authorization: )(?:token )?(?!bearer|basic|digest)[\w.~+/=-]{8,}"),
)
_URL_LOGIN = r"://(?P<login>[^\s/@:\"'<>]*:[^\s/\"'<>]+|[^\s/@:\"'<>]+)@(?=[^\s@])"
_LONG = r"[A-Za-z0-9+/_\-]{32,}={0,2}"


def shapes(text: str, lower: str, mask: Callable[[], str]) -> str:
    """Mask whatever in ``text`` is a secret by its own look: known keys, logins in URLs, long noise.

    Args:
        text: what is to be written.
        lower: the same in small letters (the caller has it already).
        mask: called once per secret; its result stands in the secret's place.
    """
    # Keys are long words, and text is mostly short ones: these few are looked through, not the whole.
    words = " ".join([word for word in text.split() if len(word) >= 14])
    for literal, pattern in _SHAPES:
        if literal in words and re.search(pattern, words):
            text = re.sub(pattern, lambda _: mask(), text)
    if "PRIVATE KEY" in text:
        text = re.sub(_PRIVATE_KEY, lambda _: mask(), text)
    for literal, pattern in _CASELESS:
        if literal in lower:
            text = re.sub(pattern, lambda _: mask(), text)
    if "://" in text and "@" in text:
        text = re.sub(_URL_LOGIN, lambda match: _login(match, mask), text)
    if any(map(_is_noise, re.finditer(_LONG, words))):
        text = re.sub(_LONG, lambda match: mask() if _is_noise(match) else match[0], text)
    return text


def _login(match: re.Match[str], mask: Callable[[], str]) -> str:
    login = match["login"]
    scheme = match.string[max(0, match.start() - 5) : match.start()].lower()
    if login.startswith("[") or (":" not in login and (login == "git" or not scheme.endswith(("http", "https")))):
        return match[0]  # ssh://git@host: a name, no password
    return f"://{mask()}@"


def _is_noise(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - 7) : match.start()]
    after = match.string[match.end() : match.end() + 1]
    if before[-1:].isalnum() or before[-1:] in {".", "@", "_"} or after.isalnum() or after == "@":
        return False  # a piece of something longer
    if match[0].startswith("sha") or ("sha" in before and before.endswith((":", "-"))):  # an integrity hash
        return False
    return is_random(match[0])


_SEGMENT = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_HEX = re.compile(r"[0-9a-fA-F]+|[0-9]+")
_NAME = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]+|[0-9]+|[0-9a-f]+")
_RUN = re.compile(r"[^/_=+\-]+")


def is_random(word: str) -> bool:
    """Whether a long word is noise rather than language, a path, a hash or data.

    Noise changes between capitals, small letters and digits about every second character; names, even
    ``MobileNetV3LargeBlock12``, keep to one for longer. Hashes and UUIDs are hexadecimal and are let through, encoded
    text is recognised by decoding it, and more than 256 characters are data, not a key.
    """
    if not 32 <= len(word) <= 256 or word[0] == "/" or word.startswith(("AAAAB3Nza", "AAAAC3Nza")):
        return False
    runs = _RUN.findall(word)
    if len(word) == 40 and not any(_NAME.fullmatch(run) for run in runs) and "-" not in word and "_" not in word:
        runs = [word]  # an AWS secret has just this length, and slashes; otherwise these part the names of a path
    longest = max((run for run in runs if not _HEX.fullmatch(run)), key=len, default="")
    if len(longest) < 20 or not any(c.isdigit() for c in word) or not any(c.islower() for c in word):
        return False
    mixed = any(c.isupper() for c in word)
    if not mixed and len(longest) < 32:
        return False
    segments = _SEGMENT.findall(longest)
    average = len(longest) / len(segments)
    return average <= (2.5 if mixed else 2.4) and len(set(word)) >= 14 and not _encoded_text(word)


def _encoded_text(word: str) -> bool:
    import base64
    import binascii

    try:
        text = base64.b64decode(word + "=" * (-len(word) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return all(32 <= byte < 127 or byte in b"\r\n\t" for byte in text)


def looks_like_token(value: str) -> bool:
    """Whether an unquoted word may be a token rather than a plain word, a number, a variable or an expression."""
    if len(value) < 8 or not value.isascii() or any(c in value for c in "()[]{}<>$"):
        return False
    digits = sum(c.isdigit() for c in value)
    if not digits or not any(c.isalpha() for c in value):
        return False
    return not _VARIABLE.search(value)


_VARIABLE = re.compile(r"(?i)pass|secret|token|key|cred|auth")
