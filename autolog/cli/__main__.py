"""``python -m autolog.cli``: the same as the ``autolog`` command."""

import sys

from autolog.cli.main import main

sys.exit(main())
