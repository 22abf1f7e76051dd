"""Objects in a bucket of S3, or of what speaks its language. What a call has returned from is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from autolog.server.errors import ApiError

__all__ = ["Objects"]

_PART = 8 << 20
"""Bytes of a part of a large object; the least that S3 takes is 5 MiB."""
_PIECE = 1 << 20
_RETRY_AFTER = "5"


class Objects:
    """The objects below a prefix of a bucket.

    Credentials, region and endpoint are found as boto3 finds them: ``AWS_ENDPOINT_URL``, profiles, instance roles.

    Args:
        url: ``s3://bucket`` or ``s3://bucket/prefix``.

    Raises:
        ValueError: it is no such URL.
    """

    def __init__(self, url: str) -> None:
        import boto3
        from botocore.config import Config

        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise ValueError("--assets takes a URL such as s3://bucket/prefix")
        self.bucket, self.prefix = parts.netloc, parts.path.strip("/")
        config = Config(
            connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 3},
            max_pool_connections=50, request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )  # fmt: skip
        self._client: Any = boto3.client("s3", config=config)

    def key(self, *parts: str) -> str:
        """The key of an object below the prefix."""
        return "/".join((self.prefix, *parts) if self.prefix else parts)

    def put(self, key: str, data: bytes | Iterator[bytes]) -> None:
        """Store an object, in place of an older one; of an iterator that raises nothing is stored.

        Raises:
            ApiError: 503: the bucket cannot be reached.
        """
        if isinstance(data, bytes):
            with _reaching(self.bucket):
                self._client.put_object(Bucket=self.bucket, Key=key, Body=data)
            return
        parts = _parts(data)
        first = next(parts, b"")
        second = next(parts, None)
        if second is None:
            self.put(key, first)
        else:
            self._put_large(key, _chained(first, second, parts))

    def _put_large(self, key: str, parts: Iterator[bytes]) -> None:
        at: dict[str, Any] = {"Bucket": self.bucket, "Key": key}
        with _reaching(self.bucket):
            at["UploadId"] = self._client.create_multipart_upload(**at)["UploadId"]
        try:
            done = []
            for number, part in enumerate(parts, 1):
                with _reaching(self.bucket):
                    tag = self._client.upload_part(**at, PartNumber=number, Body=part)["ETag"]
                done.append({"PartNumber": number, "ETag": tag})
            with _reaching(self.bucket):
                self._client.complete_multipart_upload(**at, MultipartUpload={"Parts": done})
        except BaseException:
            with _reaching(self.bucket, quietly=True):
                self._client.abort_multipart_upload(**at)
            raise

    def put_file(self, key: str, path: Path) -> None:
        """Store a file; raises as :meth:`put` does."""
        with path.open("rb") as file:
            self.put(key, iter(lambda: file.read(_PIECE), b""))

    def read(self, key: str, begin: int, end: int) -> Iterator[bytes]:
        """The bytes of an object from one offset to before another, in pieces; raises as :meth:`put` does."""
        if begin >= end:
            return
        with _reaching(self.bucket):
            found = self._client.get_object(Bucket=self.bucket, Key=key, Range=f"bytes={begin}-{end - 1}")
            with closing(found["Body"]) as body:
                yield from body.iter_chunks(_PIECE)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not there are as good as deleted. Raises as :meth:`put` does."""
        for at in range(0, len(keys), 1000):
            named = [{"Key": key} for key in keys[at : at + 1000]]
            with _reaching(self.bucket):
                self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": named, "Quiet": True})

    def check(self) -> None:
        """Whether the bucket can be reached; raises as :meth:`put` does."""
        with _reaching(self.bucket):
            self._client.head_bucket(Bucket=self.bucket)

    def close(self) -> None:
        """End the connections."""
        self._client.close()


@contextmanager
def _reaching(bucket: str, *, quietly: bool = False) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield
    except (BotoCoreError, ClientError, HTTPClientError) as problem:
        if quietly:
            return
        why = problem.response["Error"]["Code"] if isinstance(problem, ClientError) else type(problem).__name__
        message = f"the bucket {bucket} cannot be used now ({why}); nothing was taken, send it again later"
        error = ApiError(503, "storage", message)
        error.headers["Retry-After"] = _RETRY_AFTER
        raise error from problem


def _parts(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        while size >= _PART:
            whole = b"".join(held)
            yield whole[:_PART]
            held, size = [whole[_PART:]], size - _PART
    if size:
        yield b"".join(held)


def _chained(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from rest
