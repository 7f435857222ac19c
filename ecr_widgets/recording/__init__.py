"""The record that each step leaves, wherever the step is called: in a notebook, on a terminal or in a program."""
