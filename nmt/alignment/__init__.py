"""Word alignment: links, soft weights to links, subword to word, plots."""
