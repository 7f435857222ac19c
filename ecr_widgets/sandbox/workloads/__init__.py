"""Services and tasks as real containers, for any front that offers them.

A front keeps what is wanted, and its current state, as `records`, and provides them as `Records`; `scheduler` starts, replaces
and stops containers to match; `balancers`, with `health`, `forwarding` and `certificates`, listens for load balancers.
`containers` is what is needed from an engine, `docker_containers` the real one; `task_definition` says what to run.
"""
