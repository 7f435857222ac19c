"""Runs of a fleet's targets: processes of our own command, started by an executor here or on a cluster."""
