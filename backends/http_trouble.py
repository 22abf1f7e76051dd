"""Why a server gave no answer, in words that stay the same as long as the reason does."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

__all__ = ["TIMEOUT", "causes", "why"]

TIMEOUT = (5.0, 30.0)
"""Seconds to connect, and between two bytes of an answer: a server that hangs is left."""


def why(url: str, error: requests.RequestException) -> str:
    """Why there is no answer. Not the error's own text: that holds addresses of objects, new each time.

    Args:
        url: the server's address.
        error: what the request raised.
    """
    where = urlsplit(url).netloc
    if isinstance(error, requests.exceptions.SSLError):
        return _untrusted(url, error)
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy on the way to {where} cannot be reached or refuses ({_cause(error)})"
    if isinstance(error, requests.ConnectTimeout):
        return f"{where} does not answer: no connection within {TIMEOUT[0]:.0f} s"
    if isinstance(error, requests.Timeout):
        return f"{where} accepts connections and does not answer within {TIMEOUT[1]:.0f} s"
    return f"{where} cannot be reached: {_cause(error)}"


def causes(error: BaseException | None) -> list[BaseException]:
    """What an error of requests is made of, outermost first."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        inner = getattr(error, "reason", None)
        inner = inner if isinstance(inner, BaseException) else next(
            (part for part in error.args if isinstance(part, BaseException)), None
        )  # fmt: skip
        error = inner or error.__cause__ or error.__context__
    return found


def _cause(error: BaseException) -> str:
    inner = next((part for part in reversed(causes(error)) if isinstance(part, OSError) and part.errno), None)
    if inner is not None and isinstance(inner, OSError):
        return inner.strerror or type(inner).__name__
    last = causes(error)[-1]
    return f"{type(last).__name__}: {last}" if " object at 0x" not in str(last) else type(last).__name__


def _untrusted(url: str, error: BaseException) -> str:
    """Which certificate is not trusted, by its fingerprint, and how to trust it."""
    import ssl

    address = urlsplit(url)
    reason = next((part.verify_message for part in causes(error) if isinstance(part, ssl.SSLCertVerificationError)), "")
    if not reason:
        return f"{address.netloc} does not speak TLS as it should: {_cause(error)}"
    mark = " (through a proxy)" if _by_proxy(url) else _fingerprint(address.hostname or "", address.port or 443)
    return (
        f"the certificate of {address.netloc}{mark} is not trusted: {reason}. If it is the right one, name a file with "
        f"it, or with that of its authority, in the setting `ca_bundle` or the variable REQUESTS_CA_BUNDLE"
    )


def _by_proxy(url: str) -> bool:
    """Whether somebody stands in between, who may show a certificate of its own."""
    return bool(requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)))


def _fingerprint(host: str, port: int) -> str:
    import hashlib
    import ssl

    try:
        pem = ssl.get_server_certificate((host, port), timeout=TIMEOUT[0])
    except (OSError, ValueError):  # it is not there any more
        return ""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    return " with the SHA-256 fingerprint " + ":".join(digest[at : at + 2] for at in range(0, 64, 2))
