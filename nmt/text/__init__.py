"""Text: normalisation, SentencePiece models, and the words and character offsets of pieces."""
