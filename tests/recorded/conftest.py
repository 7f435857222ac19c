"""The examples need a sandbox where all stands: `tests/sandbox/test_recorded.py` gives them one."""

collect_ignore_glob = ["*.ipynb"]
