"""docs/cli.md says what the commands say."""

from pathlib import Path

from autolog.cli.main import COMMANDS, load
from autolog.cli.reference import reference


def test_the_document_is_made_from_the_commands():
    document = Path(__file__).parents[2] / "docs" / "cli.md"
    assert document.read_text("utf-8") == reference(), "run: python -m autolog.cli.reference > docs/cli.md"


def test_every_command_exists_and_has_examples():
    for name, command in COMMANDS.items():
        function = load(command)
        if not command.plain:
            assert f"autolog {name}" in (function.__doc__ or "").partition("Examples:")[2]
