"""Layer0's REST API: `transport` does HTTP, `decode` reads the JSON, `client` makes the calls."""
