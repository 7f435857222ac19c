"""Layer0's REST API: `transport` knows HTTP, `decode` the wire's shapes, `client` the calls."""
