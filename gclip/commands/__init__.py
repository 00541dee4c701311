"""The command line: training without a browser, one command a file."""
