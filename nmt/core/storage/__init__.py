"""Files and folders: reading, atomic writing, packed text, locks, the layout of a run."""
