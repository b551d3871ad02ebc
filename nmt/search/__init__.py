"""Search: greedy, beam, sampling, scoring penalties, forced decoding, ensembles."""
