"""What clients say to the server and hear from it: two protocols that others know, and our own."""
