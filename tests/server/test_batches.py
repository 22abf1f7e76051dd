"""Batches of many runs that are taken together: each has its own fate, and what was acknowledged is there once."""

import asyncio
import http.client
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from autolog.server.errors import ApiError
from autolog.server.intake.gathering import Gathered
from autolog.server.storage.contract import Append
from tests.waiting import PATIENCE

STORAGES = ["local", "remote"]
LINE = b'{"type":"metrics","time":2.0,"values":{"loss":0.5},"step":1}\n'


def run_id(number):
    return f"20261122-111134-537-{number:08x}"


def header(run):
    return b'{"type":"run","time":1.0,"id":"%s","name":"calm-otter-01","project":"lab"}\n' % run.encode()


def told(results):
    return [result.code if isinstance(result, ApiError) else result for result in results]


def test_each_of_several_appends_has_its_own_fate(server):
    first, second, third = ((server.project, run_id(number)) for number in (1, 2, 3))
    begun = header(run_id(1))
    size = len(begun)
    with server.storage() as storage:
        assert told(storage.append_all([
            Append(first, "journal.jsonl", 0, begun), Append(second, "journal.jsonl", 50, LINE),
            Append(third, "journal.jsonl", 0, begun), Append(third, "system.jsonl", 0, begun),
        ])) == [size, "gap", size, size]  # fmt: skip
        assert told(storage.append_all([
            Append(first, "journal.jsonl", size, LINE),
            Append(second, "journal.jsonl", 50, LINE),
            Append(third, "journal.jsonl", size - 5, begun[-5:] + LINE),
            Append(third, "system.jsonl", size - 5, b"other"),
            Append(first, "journal.jsonl", size, LINE),  # once more, in the same go
            Append(first, "journal.jsonl", size + len(LINE), LINE * 2),
            Append(first, "journal.jsonl", size + 1, LINE),
        ])) == [
            size + len(LINE), "gap", size + len(LINE), "conflict", size + len(LINE), size + 3 * len(LINE), "conflict",
        ]  # fmt: skip
        assert storage.sizes(first) == {"journal.jsonl": size + 3 * len(LINE)}
        assert storage.sizes(second) == {}
        assert storage.sizes(third) == {"journal.jsonl": size + len(LINE), "system.jsonl": size}


def test_many_runs_at_once_lose_and_double_nothing(server):
    """Each batch is sent by two connections at the same time, as a client does that was not answered in time."""
    runs, batches = 24, 5

    def deliver(number):
        run = run_id(100 + number // 2)
        base = f"/api/v1/projects/{server.project}/runs/{run}/journals/journal.jsonl?offset="
        offset = 0
        for batch in range(batches):
            data = header(run) if batch == 0 else LINE * (batch + number // 2)
            assert server.ask("POST", f"{base}{offset}", data).status == 200
            offset += len(data)
        return run, offset

    with ThreadPoolExecutor(2 * runs) as pool:
        delivered = set(pool.map(deliver, range(2 * runs)))
    assert len(delivered) == runs
    with server.storage() as storage:
        for run, size in delivered:
            assert storage.sizes((server.project, run)) == {"journal.jsonl": size}


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_packed_body_may_come_in_any_pieces(server, cut):
    run = run_id(200 + cut)
    data = header(run) + b"".join(LINE.replace(b"0.5", b"%d" % n) for n in range(3000))
    packed = zstandard.ZstdCompressor().compress(data)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    path = f"/api/v1/projects/{server.project}/runs/{run}/journals/journal.jsonl?offset=0"
    headers = {"Authorization": f"Bearer {server.admin}", "Content-Encoding": "zstd", "Transfer-Encoding": "chunked"}
    connection.request("POST", path, iter([packed[:cut], packed[cut:-3], packed[-3:]]), headers, encode_chunked=True)
    assert connection.getresponse().read() == b'{"size":%d}' % len(data)
    connection.close()


# -- gathering


def test_what_comes_while_threads_are_busy_is_done_together():
    begun, go, seen = threading.Event(), threading.Event(), []

    def work(items):
        seen.append(list(items))
        if items == [0]:
            begun.set()
            assert go.wait(PATIENCE)
        return [item * 10 if item != 3 else ValueError("three") for item in items]

    async def main():
        gathered = Gathered(work, "test", threads=1, most=4)
        first = asyncio.create_task(gathered.do(0))
        await asyncio.to_thread(begun.wait, 30)
        later = [asyncio.create_task(gathered.do(item)) for item in range(1, 8)]
        await asyncio.sleep(0)
        go.set()
        try:
            return await asyncio.gather(first, *later, return_exceptions=True)
        finally:
            gathered.close()

    results = asyncio.run(main())
    assert [str(result) for result in results] == ["0", "10", "20", "three", "40", "50", "60", "70"]
    assert seen[0] == [0]
    assert sorted(len(items) for items in seen[1:]) == [3, 4]


def test_whoever_waits_is_told_of_trouble_and_the_thread_goes_on():
    def work(items):
        if "bad" in items:
            raise RuntimeError("trouble")
        return items

    async def main():
        gathered = Gathered(work, "test", threads=2, most=4)
        try:
            with pytest.raises(RuntimeError, match="trouble"):
                await gathered.do("bad")
            return [await gathered.do(str(number)) for number in range(5)]
        finally:
            gathered.close()

    assert asyncio.run(main()) == ["0", "1", "2", "3", "4"]
