"""Options of the commands: of a run and its search, of a recipe, of `nmt-align` and of `nmt-translate`."""
