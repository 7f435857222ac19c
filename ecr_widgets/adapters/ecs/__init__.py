"""Amazon ECS as a deploy target."""
