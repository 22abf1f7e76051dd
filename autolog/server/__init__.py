"""The autolog server: takes journals and files of runs over HTTP, and keeps them as a runs directory."""
