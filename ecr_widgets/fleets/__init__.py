"""Runs of a fleet's targets: our own command as processes, started by an executor here or on a cluster."""
