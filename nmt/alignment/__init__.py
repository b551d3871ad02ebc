"""Word alignment: links, from soft weights to links and from pieces to words, symmetrisation, plots, the HTML page."""
