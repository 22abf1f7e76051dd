"""The schema: the same on SQLite and PostgreSQL, made under a lock, whole or not at all, from every released one."""

from __future__ import annotations

import threading

import alembic.op
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from autolog.server import database, tables
from autolog.server.runs import listing
from tests.server.schema_dump import FOLDER

KINDS = ["sqlite", "postgresql"]


@pytest.fixture
def engine_of(tmp_path, request):
    """``engine_of("sqlite")``, ``engine_of("postgresql")``: of an empty database."""
    made = []

    def engine(kind):
        url = request.getfixturevalue("database_url") if kind == "postgresql" else ""
        made.append(database.connect(tmp_path / f"data-{len(made)}", url))
        return made[-1]

    yield engine
    for each in made:
        each.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_the_migrated_schema_is_the_one_that_the_code_means(engine_of, kind):
    engine = engine_of(kind)
    database.migrate(engine)
    check_schema(engine)


def check_schema(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []
        inspector = sa.inspect(connection)
        for name, table in tables.metadata.tables.items():
            found = inspector.get_pk_constraint(name)["constrained_columns"]
            assert found == [column.name for column in table.primary_key], name
            nullable = {column["name"]: column["nullable"] for column in inspector.get_columns(name)}
            assert nullable == {column.name: bool(column.nullable) for column in table.columns}, name


def test_what_belongs_to_a_project_is_keyed_by_it_first():
    for name, table in tables.metadata.tables.items():
        if "project" in table.columns and name != "tokens":
            assert next(iter(table.primary_key)).name == "project", name


@pytest.mark.parametrize("kind", KINDS)
def test_several_servers_that_start_at_once_make_one_schema(engine_of, kind):
    engine = engine_of(kind)
    problems = []

    def migrate():
        own = sa.create_engine(engine.url)
        try:
            database.migrate(own)
        except Exception as problem:
            problems.append(problem)
        finally:
            own.dispose()

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert database.revision(engine) == "0001"


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_fails_leaves_nothing(engine_of, kind, monkeypatch):
    engine = engine_of(kind)
    made = []

    def failing(self, name, *args, **options):
        made.append(name)
        if len(made) == 5:
            raise OSError("the power is gone")
        return Operations.create_table(self, name, *args, **options)

    monkeypatch.setattr(
        alembic.op, "create_table", lambda *args, **options: failing(alembic.op._proxy, *args, **options)
    )
    with pytest.raises(OSError, match="power"):
        database.migrate(engine)
    assert len(made) == 5
    assert sa.inspect(engine).get_table_names() == []
    monkeypatch.undo()
    database.migrate(engine)
    assert database.revision(engine) == "0001"


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_of_a_newer_version_is_left_alone(engine_of, kind):
    engine = engine_of(kind)
    database.migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(database.DatabaseError, match="newer version"):
        database.migrate(engine)
    assert database.revision(engine) == "9999"


@pytest.mark.parametrize("dump", sorted(FOLDER.glob("*.sql")), ids=lambda path: path.name)
def test_a_database_of_every_released_schema_is_brought_to_this_one(engine_of, dump):
    """Until its release a schema may change: ``python -m tests.server.schema_dump`` then makes its dumps anew."""
    engine = engine_of(dump.name.split(".")[1])
    connection = engine.raw_connection()
    if "sqlite" in dump.name:
        connection.driver_connection.executescript(dump.read_text())
    else:
        connection.driver_connection.execute(dump.read_text())
        connection.commit()
    connection.invalidate()  # the dump has changed settings of the session
    database.migrate(engine)
    check_schema(engine)
    with engine.connect() as found:
        (run,) = listing.page(found, ["lab"], where="params.lr == 0.1", wanted=["metrics.loss"]).runs
        assert (run.name, run.values) == ("calm-otter-01", {"metrics.loss": 0.5})
        assert found.execute(sa.select(tables.members.c.user_name)).scalars().all() == ["bob"]


def test_this_schema_has_its_dumps(engine_of):
    engine = engine_of("sqlite")
    database.migrate(engine)
    assert {path.name for path in FOLDER.glob(f"{database.revision(engine)}.*")} == {
        f"{database.revision(engine)}.{kind}.sql" for kind in KINDS
    }
