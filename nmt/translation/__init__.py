"""Translation: lines to translations, scores of a test; in inner rooms model files, output, and aligning.

`translator` turns `lines` into translations, with `long_lines` in parts, `copying` from the source, and the `trees` of
the search on request; `scoring` scores them, and `evaluation` keeps the scores and alignments of a run.
"""
