"""Text: normalisation; SentencePiece models, trained, used and grown; the words and character offsets of pieces."""
