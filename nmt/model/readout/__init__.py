"""From what a decoder gives to words: features, and the two readouts that score words by them.

``OutputLayer`` is the softmax of most models, ``MixtureOutputLayer`` the mixture over source positions of a latent
alignment. Each has a ``loss`` for training and ``log_probs`` for search.
"""
