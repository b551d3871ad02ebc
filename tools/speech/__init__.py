"""Generated speech: sentences, and voices that say them."""
