"""The web server: it listens, lets in, reads and answers what clients ask of the models."""
