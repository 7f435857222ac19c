"""ECS's calls, one module per kind of entity; `table` maps the calls to their functions."""
