"""Translation for many clients at once: models behind queues, and the web server before them."""
