"""Files and folders: reading, writing whole or not at all, packed text, locks, the layout of a run."""
