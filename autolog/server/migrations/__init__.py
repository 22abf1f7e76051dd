"""The server's schema, release by release; run by :mod:`autolog.server.database` when a server starts."""
