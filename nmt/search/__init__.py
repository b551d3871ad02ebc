"""Search: beam, greedy and sampling; penalties, constraints and limits of length; forced decoding, ensembles."""
