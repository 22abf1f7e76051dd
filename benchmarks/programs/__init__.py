"""Public programs, bare and under ``autolog run``: the same exit code, the same output, the same processor time."""
