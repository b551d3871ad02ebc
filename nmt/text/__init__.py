"""Text: normalisation, SentencePiece models, pieces to words and character offsets."""
