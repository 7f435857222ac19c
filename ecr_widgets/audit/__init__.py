"""What happened, from saved runs, which are only read. AWS is contacted only for images' evidence, a bucket or a KMS key."""
