"""A Dockerrun: what Layer0 takes as a deploy, read, checked, compared and shown without secrets."""
