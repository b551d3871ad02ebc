"""Word alignment: links, extraction from soft weights, pieces to words, symmetrisation, plots, the HTML report."""
