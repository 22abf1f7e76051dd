"""The journal: what was appended is there, exactly, whatever the disk and the process do."""

import math
import os
import threading
import time

import pytest

from autolog import events
from autolog.journal import Journal, journals, read


def header(**changes):
    return events.RunStart(
        **{"time": time.time(), "id": "r", "name": "n", "project": "p", "pid": os.getpid(), **changes}
    )


def metric(value, step=None, name="loss"):
    return events.Metrics(time=time.time(), values={name: events.to_wire(value)}, step=step)


def records(path, problems=None):
    return [record for record, _ in read(path, problems=problems)]


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "run" / "journal.jsonl", header())
    yield journal
    journal.close()


def test_what_is_appended_is_readable_at_once(journal):
    journal.append(metric(0.5, 1))
    start, first = records(journal.path)
    assert isinstance(start, events.RunStart)
    assert (first.values, first.step) == ({"loss": 0.5}, 1)
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 2**53 + 1])
def test_numbers_survive_exactly(journal, value):
    journal.append(metric(value))
    read_back = records(journal.path)[-1].values["loss"]
    if isinstance(value, int):
        assert read_back == value
    else:
        again = events.from_wire(read_back)
        assert (
            math.isnan(again)
            if math.isnan(value)
            else (again, math.copysign(1, again)) == (value, math.copysign(1, value))
        )


def test_text_survives_exactly(journal):
    name = "läss/../val ☃\n\t\"'\\\x00\U0001f600"
    journal.append(metric(1.0, name=name))
    big = "x☃" * 500_000
    journal.append(events.Params(time=0.0, values={"big": big}))
    _, numbers, params = records(journal.path)
    assert list(numbers.values) == [name]
    assert params.values["big"] == big


def test_reading_goes_on_from_an_offset(journal):
    journal.append(metric(1.0))
    *_, (_, offset) = read(journal.path)
    journal.append(metric(2.0))
    assert [record.values["loss"] for record, _ in read(journal.path, offset)] == [2.0]


def test_a_torn_last_line_is_left_alone_and_closed_off_by_the_next_writer(journal):
    journal.append(metric(1.0))
    with journal.path.open("ab") as file:
        file.write(b'{"type":"metrics","ti')
    problems = []
    assert len(records(journal.path, problems)) == 2
    assert problems == []
    again = Journal(journal.path, header(resumed=True))
    again.append(metric(2.0))
    again.close()
    found = records(journal.path, problems)
    assert [type(record).__name__ for record in found] == ["RunStart", "Metrics", "RunStart", "Metrics"]
    assert len(problems) == 1


def test_unknown_types_and_fields_are_skipped_and_broken_lines_counted(journal):
    with journal.path.open("ab") as file:
        file.write(b'{"type":"hologram","time":1.0,"x":{}}\n')
        file.write(b'{"type":"metrics","time":1.0,"values":{"a":1},"color":"red"}\n')
        file.write(b'{"type":"metrics","time":"yesterday","values":{}}\n')
        file.write(b"\xff\xfe\n")
    problems = []
    found = records(journal.path, problems)
    assert [type(record).__name__ for record in found] == ["RunStart", "Metrics"]
    assert len(problems) == 2
    assert "byte" in problems[0]


def test_threads_do_not_mix_their_lines(journal):
    def work(number):
        for step in range(500):
            journal.append(metric(float(number), step, name=f"thread{number}" * 20))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    problems = []
    found = records(journal.path, problems)[1:]
    assert problems == []
    for number in range(8):
        steps = [record.step for record in found if record.values == {f"thread{number}" * 20: float(number)}]
        assert steps == list(range(500))


def test_a_removed_file_is_restored_with_everything_in_it(journal, capsys):
    journal.append(metric(1.0))
    journal.path.unlink()
    journal.path.parent.rmdir()
    journal._checked = 0  # the look at the file is taken once a second
    journal.append(metric(2.0))
    assert [record.values["loss"] for record in records(journal.path)[1:]] == [1.0, 2.0]
    assert "restored" in capsys.readouterr().err


def test_a_full_disk_is_counted_said_once_and_shown_when_it_is_over(journal, capsys):
    """RLIMIT_FSIZE makes the kernel refuse and tear writes just as a full disk or quota does."""
    import resource
    import signal

    journal.append(metric(0.0))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size + 10, limits[1]))
        for step in range(1, 6):
            journal.append(metric(float(step)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert journal.lost == 5
    journal.append(metric(6.0))
    problems = []
    found = records(journal.path, problems)
    assert [record.values["loss"] for record in found if isinstance(record, events.Metrics)] == [0.0, 6.0]
    (health,) = [record for record in found if isinstance(record, events.Health)]
    assert (health.kind, health.count) == ("lost", 5)
    assert len(problems) == 1  # the torn line
    assert capsys.readouterr().err.count("cannot write") == 1
    assert journal.lost == 0


def test_a_directory_that_cannot_be_made_is_tried_again(tmp_path, capsys):
    (tmp_path / "run").write_text("a file in the way")
    journal = Journal(tmp_path / "run" / "journal.jsonl", header())
    journal.append(metric(1.0))
    assert journal.lost >= 1
    (tmp_path / "run").unlink()
    journal.append(metric(2.0))
    journal.close()
    start, kept, health = records(journal.path)
    assert isinstance(start, events.RunStart)
    assert kept.values == {"loss": 2.0}
    assert health.kind == "lost"
    assert capsys.readouterr().err.count("cannot write") == 1


def test_a_fork_has_a_journal_of_its_own(journal, tmp_path):
    journal.append(metric(1.0))
    pid = os.fork()
    if pid == 0:
        journal.move_to_worker(header(role="worker", pid=os.getpid()))
        journal.append(metric(2.0))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    journal.append(metric(3.0))
    assert [record.values["loss"] for record in records(journal.path)[1:]] == [1.0, 3.0]
    worker = tmp_path / "run" / f"journal.w{pid}.jsonl"
    assert [record.values["loss"] for record in records(worker)[1:]] == [2.0]
    assert journals(tmp_path / "run") == [journal.path, worker]
