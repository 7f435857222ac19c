"""What several steps use: the outside, sessions, targets, and what is found out about images and services."""
