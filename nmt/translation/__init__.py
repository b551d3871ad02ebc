"""Translation of lines, and test scores; subpackages for model files, output and alignment.

`translator` translates `lines`: `long_lines` in parts, with `copying` from the source, and with search `trees` on
request. `scoring` scores translations; `evaluation` stores the test scores and alignments of a run.
"""
