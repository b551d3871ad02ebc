"""Data: parallel corpora, encoded and cached, batched by a budget of tokens."""
