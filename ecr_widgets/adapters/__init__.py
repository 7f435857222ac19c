"""The outside systems behind the ports: the only place with boto3, docker-py and HTTP."""
