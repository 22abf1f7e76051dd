"""The ``autolog`` command: ``main.py`` holds the table of commands, every other module one group of them."""
