"""ECS's calls, a module for each kind of thing; `table` says which is which."""
