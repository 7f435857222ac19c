"""Services and tasks as real containers, for any front that speaks to people of them.

A front keeps what is wanted and what became of it as `records` and offers it as `Records`; `scheduler` starts, replaces and
stops containers to match; `balancers`, with `health`, `forwarding` and `certificates`, listens for load balancers.
`containers` is what is needed of an engine, `docker_containers` the real one; `task_definition` says what to run.
"""
