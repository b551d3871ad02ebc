"""From windows of lines to what is written: by one process or several, in each form, to files that can be resumed."""
