"""Fixtures of the pages' tests: real runs, recorded once; a site that shows them; a browser that looks at it."""

import shutil

import pytest

from tests.browsers import Site, chromium, watched
from tests.labs import Lab, lab
from tests.servers import elsewhere, eventually, own_server, server, shared_server, storage_kind
from tests.stores import bucket, database_url, postgres
from tests.ui.filling import filled

__all__ = [
    "bucket",
    "chromium",
    "database_url",
    "elsewhere",
    "eventually",
    "filled",
    "lab",
    "own_server",
    "postgres",
    "server",
    "shared_server",
    "storage_kind",
    "watched",
]

TRAINS = """
    import argparse, math, sys
    import autolog

    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    options = parser.parse_args()
    run = autolog.start_run(name=f"rate-{options.lr}")
    autolog.log_params({"lr": options.lr, "optimizer": "adam"})
    for step in range(50):
        loss = math.exp(-step * options.lr)
        autolog.log_metrics({"train/loss": loss if step != 20 else math.nan, "train/accuracy": 1 - loss}, step=step)
    autolog.log_metrics({"val_loss": options.lr}, step=50)
    autolog.add_tags("baseline" if options.lr == 0.1 else "tuned")
"""

RICH = """
    import struct, zlib
    import helper
    import autolog

    def png(width, height):
        def part(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        rows = b"".join(b"\\0" + bytes(60 * (row % 4) for _ in range(width)) for row in range(height))
        head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        return b"\\x89PNG\\r\\n\\x1a\\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")

    run = autolog.start_run(name="rich")
    autolog.log_params({"folds": 3, "teacher": None})
    for fold in range(3):
        with run.child(f"fold-{fold}", kind="fold") as child:
            for step in range(5):
                child.log_metrics({"cv/loss": fold + 1 / (step + 1)}, step=step)
            child.log_table("mistakes", [{"sample": fold}])
    open("picture.png", "wb").write(png(8, 6))
    autolog.log_asset("picture.png")
    autolog.log_table("answers", [{"question": "six times seven", "answer": 42}])
    autolog.log_histogram("weights", [0.1, 0.2, 0.2, 0.9])
    for number in range(3000):
        print("line", number, helper.word())
    raise ValueError("the end of the rich run")
"""

HELPER = """
    def word():
        return "from the helper"
"""


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """A runs directory with runs that autolog has recorded: three rates, and one with a bit of everything."""
    there = Lab(tmp_path_factory.mktemp("recorded"))
    there.environment |= {"AUTOLOG_SAMPLE_INTERVAL": "0.05"}
    there.script(HELPER, "helper.py")
    there.script(TRAINS, "rates.py")
    for rate in ("0.1", "0.2", "0.3"):
        there.run(f"""
            import runpy, sys
            sys.argv = ["rates.py", "--lr", "{rate}"]
            runpy.run_path("rates.py", run_name="__main__")
        """)
    assert there.run(RICH).returncode == 1
    yield there
    there.close()


@pytest.fixture(scope="session")
def shared_site(recorded, tmp_path_factory):
    site = Site(recorded.runs, tmp_path_factory.mktemp("cache")).start()
    yield site
    site.end()


@pytest.fixture
def site(shared_site):
    """The site that the tests share: they leave the runs as they were."""
    return shared_site


@pytest.fixture
def own_site(recorded, tmp_path):
    """A site over a copy of the runs, which the test may change."""
    shutil.copytree(recorded.runs, tmp_path / "runs")
    site = Site(tmp_path / "runs", tmp_path / "cache").start()
    yield site
    if site.process is not None:
        site.end()


@pytest.fixture
def page(watched, site):
    """A browser's page that has opened the printed address."""
    watched.page.goto(site.address)
    return watched.page
