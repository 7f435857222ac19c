"""The record that each step leaves, wherever it is asked for: in a notebook, on a terminal or in a program."""
