"""The command line: `carillon`."""
