"""Data: parallel corpora, read, filtered, encoded and cached, and batched by a budget of tokens; checks of them."""
