"""What several steps use: the outside systems, sessions, targets, and what is known about images and services."""
