"""The runs of this machine: read like a server's; what is said of them is written as ``autolog tag`` does."""

from __future__ import annotations

import os

from autolog import journal
from autolog.server.errors import ApiError
from autolog.server.storage.local import LocalStorage
from autolog.store.layout import Place

__all__ = ["OwnRuns"]


class OwnRuns(LocalStorage):
    """A local directory, whose edits are those of its owner, not of a server: they are delivered like any other."""

    def extend(self, place: Place, name: str, header: bytes, data: bytes) -> int:
        """As a server's, in one write at the end: ``autolog tag`` may be writing there too."""
        path = self.root / place[0] / place[1] / (journal.EDITS if name == journal.SERVER_EDITS else name)
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _refused(error) from None
        try:
            size = os.fstat(file).st_size
            torn = b"\n" if size and os.pread(file, 1, size - 1) != b"\n" else b""
            added = torn + data if size else header + data
            if os.write(file, added) != len(added):
                raise ApiError(507, "disk_full", "the disk is full; the change may be kept in part")
            os.fdatasync(file)
        except OSError as error:
            raise _refused(error) from None
        finally:
            os.close(file)
        return size + len(added)


def _refused(error: OSError) -> ApiError:
    return ApiError(503, "storage", f"the run's directory cannot be written ({error.strerror}); nothing was changed")
