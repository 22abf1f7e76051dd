"""Which columns a request asks for."""

from __future__ import annotations

import csv

from starlette.requests import Request

from autolog.server.errors import ApiError

__all__ = ["ABOUT", "wanted_columns"]

ABOUT = 'columns, separated by commas; one with a comma or " in its name as in CSV: "metrics.f1, macro"'
"""How they are written, for the description of the parameter."""


def wanted_columns(request: Request) -> list[str]:
    """The columns that the parameters ``columns`` of a request name, in their order.

    Raises:
        ApiError: 400: quotes that do not end.
    """
    given = request.query_params.getlist("columns")
    try:
        return [column for text in given for row in csv.reader([text], strict=True) for column in row if column]
    except csv.Error as error:
        raise ApiError(400, "columns", f"columns= cannot be read as names with commas between: {error}") from None
