"""What each call does, by Layer0's rules, from request body to answer; one module per kind of entity."""
