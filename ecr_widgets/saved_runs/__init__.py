"""The file format of a saved run: one module reads it, one writes it."""
