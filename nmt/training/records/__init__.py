"""What training writes down for people: the metrics log and pictures."""
