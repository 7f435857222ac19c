"""Values: parsing, diffing and JSON. Standard library only; no clock, no network, no Jupyter."""
