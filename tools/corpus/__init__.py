"""A synchronous German-English grammar that writes the quickstart corpus and its gold word alignment."""
