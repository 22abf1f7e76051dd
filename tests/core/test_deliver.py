"""Delivery to backends of third parties, from real sidecars."""

import json

import pytest

from autolog import config, journal
from autolog.plugins import Backend, Chunk, RunHeader
from autolog.sidecar import outlet, progress

BACKENDS = """
    import os, pathlib, time
    from autolog import events

    class Mirror:
        name = "mirror"
        def __init__(self, settings):
            self.folder = pathlib.Path(settings.url)
            self.failures = 2
        def open(self, run):
            self.run = run.start.id
        def send(self, chunk):
            if self.failures:
                self.failures -= 1
                raise ConnectionError("not there yet")
            with (self.folder / chunk.journal).open("ab") as file:
                if file.tell() != chunk.offset:
                    raise AssertionError(f"{file.tell()} != {chunk.offset}")
                file.write(chunk.data)
        def close(self, end):
            (self.folder / "closed").write_text(repr((end.end.status, end.exit.exit_code)))

    class Hanging(Mirror):
        name = "hanging"
        def send(self, chunk):
            time.sleep(3600)
"""


@pytest.fixture
def third_party(lab):
    """An installed package with two backends, as entry points."""
    lab.script(BACKENDS, name="ourbackends.py")
    info = lab.folder / "ourbackends-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ourbackends\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[autolog.backends]\nmirror = ourbackends:Mirror\nhanging = ourbackends:Hanging\n"
    )
    mirror = lab.folder / "mirror"
    mirror.mkdir()
    lab.environment |= {"PYTHONPATH": str(lab.folder), "AUTOLOG_URL": str(mirror), "AUTOLOG_BACKEND": "local,mirror"}
    return mirror


LOGS = """
    import autolog
    for n in range(1000):
        autolog.log_metric("n", n)
"""


def test_every_byte_arrives_after_failures(lab, third_party):
    done = lab.run(LOGS, AUTOLOG_EXIT_WAIT="100")
    assert done.stderr == ""
    for path in journal.journals(lab.only()):
        assert (third_party / path.name).read_bytes() == path.read_bytes()
    assert (third_party / "closed").read_text() == "('completed', 0)"
    state = progress.states(lab.only())["mirror"]
    assert state.done
    assert state.error == ""
    assert state.journals["journal.jsonl"] == (lab.only() / "journal.jsonl").stat().st_size
    assert "not there yet" in str(lab.summary().health)


def test_hanging_backend_holds_up_nothing(lab, third_party):
    """The other backend gets everything, the process ends in its time and says what remains, the sidecar too."""
    done = lab.run(LOGS, AUTOLOG_BACKEND="local,hanging,mirror", AUTOLOG_EXIT_WAIT="1")
    assert done.returncode == 0
    assert "not everything has reached" in done.stderr
    assert "hanging" in done.stderr
    assert (third_party / "journal.jsonl").read_bytes() == (lab.only() / "journal.jsonl").read_bytes()
    states = json.loads((lab.only() / progress.FILE).read_text())
    assert states["mirror"]["done"] is True
    assert not states.get("hanging", {}).get("done")
    assert lab.summary().status == "completed"


def test_unknown_backend_is_said_on_the_run(lab):
    lab.run(LOGS, AUTOLOG_BACKEND="local,nosuch", AUTOLOG_EXIT_WAIT="0.7")
    assert "there is no backend 'nosuch'" in str(lab.summary().health)


def test_local_backend_is_a_backend_and_checks(tmp_path):
    from autolog import events

    backend = outlet.load("local", config.Settings())
    assert isinstance(backend, Backend)
    (tmp_path / "journal.jsonl").write_bytes(b"one\ntwo\n")
    backend.open(RunHeader(events.RunStart(time=0, id="r", name="n", project="p"), str(tmp_path)))
    backend.send(Chunk("journal.jsonl", 4, b"two\n"))
    with pytest.raises(OSError, match="does not hold"):
        backend.send(Chunk("journal.jsonl", 4, b"six\n"))


def test_chunks_are_whole_lines(tmp_path):
    path = tmp_path / "journal.jsonl"
    long = b"x" * (3 << 20) + b"\n"
    path.write_bytes(b"short\n" + long + b"unfinished")
    chunks = []
    offset = 0
    while chunk := outlet.next_chunk(path, offset):
        chunks.append(chunk.data)
        offset += len(chunk.data)
    assert chunks == [b"short\n", long]


def test_the_reason_why_something_is_not_delivered_is_said(lab):
    done = lab.run(
        "import autolog\nautolog.log_metric('a', 1.0)\nautolog.finish()",
        AUTOLOG_BACKEND="local,mirro",
        AUTOLOG_EXIT_WAIT="0.7",
    )
    assert done.returncode == 0
    assert "not everything has reached mirro" in done.stderr
    if "LookupError" not in done.stderr:  # a sidecar that has only just started has not tried yet
        from autolog.sidecar.progress import states

        assert "there is no backend 'mirro'" in states(lab.only())["mirro"].error
