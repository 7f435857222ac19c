"""What each call does, by Layer0's rules: bodies in, wire shapes out; one module a kind of entity."""
