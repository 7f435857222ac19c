"""A Dockerrun, which is a task definition of ECS: read for Layer0 or ECS, checked, compared, shown without secrets."""
