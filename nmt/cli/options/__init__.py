"""Command-line options: of runs and search, of recipes, of `nmt-align` and `nmt-translate`."""
