"""Readout: features from the decoder's output, and output layers that map them to word probabilities.

``OutputLayer`` is the softmax of most models; ``LexicalOutputLayer`` reads source words too; ``MixtureOutputLayer`` is
the mixture over source positions of a latent alignment. Each has ``loss`` for training and ``log_probs`` for search.
"""
