"""``autolog ui``: the web application over a local runs directory, for the person whose runs these are."""
