"""Control of what is decoded, line by line: a prefix, phrases that must occur, phrases that must not."""
