"""What is asked of translations, line by line: read from files, and told to search."""
