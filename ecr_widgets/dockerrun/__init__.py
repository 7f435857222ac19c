"""Dockerruns, which are ECS task definitions: read for Layer0 or ECS, checked, compared, shown without secrets."""
