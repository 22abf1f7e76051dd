"""The commands of ``autolog server``."""

from __future__ import annotations

from typing import Annotated

import msgspec
import sqlalchemy as sa
import typer

from autolog.cli import server_tokens, server_upkeep, server_users
from autolog.cli.errors import CommandError
from autolog.cli.server_options import DATA, Assets, Data, Database, engine_of, limits, service_of
from autolog.server import tables

__all__ = ["application", "start"]

application = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="A server for the runs of several people and machines. Without a command: start.",
)  # fmt: skip


@application.command()
def start(  # noqa: PLR0917  a command's options are its arguments
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any that is free.")] = 8700,
    data: Data = DATA,
    database: Database = "",
    assets: Assets = "",
    trust_proxy: Annotated[
        bool,
        typer.Option("--trust-proxy", help="Believe X-Forwarded-For, -Proto and -Host: all requests come by a proxy."),
    ] = False,
    compact_after: Annotated[
        float, typer.Option(help="Seconds after which a run that has ended is compacted to Parquet.")
    ] = 60.0,
    drain: Annotated[
        float, typer.Option(help="Seconds for which SIGTERM only makes /readyz say 503, before the server ends.")
    ] = 0.0,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error; debug tells of deliveries.")] = "info",
    log_format: Annotated[str, typer.Option(help="json, text, or auto: text for a terminal, else JSON.")] = "auto",
) -> None:
    """Start the server.

    Examples:
      autolog server
      autolog server start --host 0.0.0.0 --data /srv/autolog
      autolog server start --database postgresql://autolog@db/autolog --assets s3://bucket/autolog
    """
    from autolog.server.serve import serve
    from autolog.server.watching import logs

    if log_level not in logs.LEVELS or log_format not in logs.FORMATS:
        known = f"{', '.join(logs.LEVELS)}; {', '.join(logs.FORMATS)}"
        raise CommandError(f"there is no such --log-level or --log-format; there are {known}", code=2)
    logs.log_to_stderr(log_level, log_format)
    engine = engine_of(data, database)
    with engine.connect() as connection:
        if connection.execute(sa.select(tables.users.c.name).limit(1)).one_or_none() is None:
            raise CommandError("nobody may use this server yet: `autolog server init` makes its first admin")
    service = msgspec.structs.replace(service_of(data, engine, assets, limits()), trust_proxy=trust_proxy)
    serve(service, host, port, compact_after=compact_after, drain=drain)


for _name, _command in (server_users.COMMANDS | server_tokens.COMMANDS | server_upkeep.COMMANDS).items():
    application.command(_name)(_command)
