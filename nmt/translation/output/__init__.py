"""Translation output: one or several processes, output formats, resumable files, pictures."""
