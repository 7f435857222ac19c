"""ECS's tasks as real containers, seen through boto3 and the aws command as anybody would."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import urllib.request

import docker
import pytest

from tests.sandbox.ecs.real import EXECUTION_ROLE, LOGS, NETWORK, SHELL, Aws, aws_version_2


def test_a_service_is_moved_and_its_old_tasks_get_a_signal(aws: Aws) -> None:
    """boto3's own waiter sees it stable; what traps SIGTERM ends with its own exit code."""
    goodbye = "trap 'echo goodbye; exit 5' TERM; echo hello; sleep 3600 & wait"
    aws.create({"command": [*SHELL, goodbye], "logConfiguration": LOGS})
    pace = {"Delay": 1, "MaxAttempts": 60}
    aws.ecs.get_waiter("services_stable").wait(cluster="demo", services=[aws.family], WaiterConfig=pace)
    (old,) = aws.ecs.list_tasks(cluster="demo", serviceName=aws.family)["taskArns"]
    aws.ecs.update_service(cluster="demo", service=aws.family, taskDefinition=aws.define())
    aws.completed()
    stopped = aws.until(lambda: (task := aws.task(old))["lastStatus"] == "STOPPED" and task)
    assert (stopped["containers"][0]["exitCode"], aws.lines(stopped)) == (5, ["hello", "goodbye"])


def test_a_health_check_decides_when_a_task_counts(aws: Aws) -> None:
    """It is HEALTHY once its command succeeds, and the deployment completes only then."""
    healthy = {"command": ["CMD-SHELL", "test -f /tmp/ok"], "interval": 5, "retries": 3, "timeout": 2}
    command = "trap exit TERM; (sleep 3; touch /tmp/ok) & sleep 3600 & wait"
    aws.create({"command": [*SHELL, command], "healthCheck": healthy})
    done = aws.completed()
    (arn,) = aws.ecs.list_tasks(cluster="demo", serviceName=aws.family)["taskArns"]
    task = aws.task(arn)
    assert (task["healthStatus"], task["containers"][0]["healthStatus"]) == ("HEALTHY", "HEALTHY")
    assert done["deployments"][0]["failedTasks"] == 0


def test_what_never_gets_healthy_trips_the_breaker(aws: Aws) -> None:
    """Each task is replaced for its health, and the third failure ends the deployment."""
    sick = {"command": ["CMD-SHELL", "exit 1"], "interval": 5, "retries": 1, "timeout": 2}
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    aws.create({"healthCheck": sick, "stopTimeout": 0}, deploymentConfiguration=breaker)
    aws.until(lambda: aws.service()["deployments"][0]["rolloutState"] == "FAILED")
    arns = aws.ecs.list_tasks(cluster="demo", serviceName=aws.family, desiredStatus="STOPPED")["taskArns"]
    assert {aws.task(arn)["stoppedReason"] for arn in arns} == {"Task failed container health checks"}


def test_containers_of_a_task_wait_for_each_other(aws: Aws) -> None:
    """For an end with success, for health; what fails that never starts the next one."""
    ended = aws.run(
        {"name": "init", "essential": False, "command": [*SHELL, "sleep 1"]},
        {
            "name": "db",
            "essential": False,
            "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 5},
        },
        {
            "command": [*SHELL, "exit 3"],
            "dependsOn": [
                {"containerName": "init", "condition": "SUCCESS"},
                {"containerName": "db", "condition": "HEALTHY"},
            ],
        },
    )
    codes = {each["name"]: each.get("exitCode") for each in ended["containers"]}
    assert (codes["init"], codes["app"]) == (0, 3)
    refused = aws.run(
        {"name": "init", "essential": False, "command": [*SHELL, "exit 4"]},
        {"dependsOn": [{"containerName": "init", "condition": "SUCCESS"}]},
    )
    assert refused["stopCode"] == "TaskFailedToStart"
    assert refused["stoppedReason"].startswith("TaskDependencyError: ")
    assert "exitCode" not in next(each for each in refused["containers"] if each["name"] == "app")


def test_an_awsvpc_task_s_containers_share_one_network(aws: Aws) -> None:
    """One reaches the other at 127.0.0.1, and ports are the same on both sides."""
    server = "mkdir /w; echo hello > /w/index.html; httpd -f -p 8080 -h /w"
    client = "until wget -q -O - http://127.0.0.1:8080/; do sleep 0.2; done"
    ended = aws.run(
        {
            "name": "web",
            "essential": False,
            "command": [*SHELL, server],
            "portMappings": [{"containerPort": 8080}],
        },
        {"command": [*SHELL, client], "logConfiguration": LOGS},
        network=NETWORK,
        networkMode="awsvpc",
    )
    assert (ended["containers"][1]["exitCode"], aws.lines(ended)[-1:]) == (0, ["hello"])


def test_secrets_are_resolved_at_the_start(aws: Aws) -> None:
    """From Secrets Manager, whole or by a key, and from the parameter store; one that is missing stops the task."""
    secret = aws.client("secretsmanager").create_secret(
        Name=aws.family, SecretString=json.dumps({"password": "one:1"})
    )["ARN"]
    aws.client("ssm").put_parameter(Name=f"/{aws.family}/p", Value="two", Type="SecureString")
    references = [
        {"name": "A", "valueFrom": f"{secret}:password::"},
        {"name": "B", "valueFrom": f"arn:aws:ssm:us-east-1:111222333444:parameter/{aws.family}/p"},
    ]
    print_both = {"command": [*SHELL, "echo $A $B"], "logConfiguration": LOGS, "secrets": references}
    ended = aws.run(print_both, executionRoleArn=EXECUTION_ROLE)
    assert aws.lines(ended) == ["one:1 two"]
    missing = {"secrets": [{"name": "A", "valueFrom": secret[:-7] + "-nothere"}]}
    stopped = aws.run(missing, executionRoleArn=EXECUTION_ROLE)
    assert stopped["stoppedReason"].startswith(
        "ResourceInitializationError: unable to pull secrets or registry auth"
    )
    assert "ResourceNotFoundException" in stopped["stoppedReason"]


def test_a_missing_log_group_or_image_keeps_a_task_from_starting(aws: Aws) -> None:
    """Unless the group is to be made."""
    options = LOGS["options"] | {"awslogs-group": f"/ecs/{aws.family}"}  # type: ignore[operator]
    stopped = aws.run({"logConfiguration": LOGS | {"options": options}})
    assert stopped["stoppedReason"].startswith("ResourceInitializationError: failed to validate logger args")
    assert stopped["stopCode"] == "TaskFailedToStart"
    made = LOGS | {"options": options | {"awslogs-create-group": "true"}}
    assert aws.run({"logConfiguration": made, "command": ["true"]})["containers"][0]["exitCode"] == 0
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=f"/ecs/{aws.family}")["logGroups"]
    assert len(groups) == 1
    assert aws.run({"image": "nowhere:1"})["stoppedReason"].startswith("CannotPullContainerError: ")


def test_the_aws_command_works_unchanged(aws: Aws) -> None:
    """`aws ecs run-task`, `aws ecs wait` and `aws logs filter-log-events`, as people type them."""
    command = f"trap exit TERM; echo hello {aws.family}; sleep 3600 & wait"
    name = aws.create({"command": [*SHELL, command], "logConfiguration": LOGS})
    aws.command("ecs", "wait", "services-stable", "--cluster", "demo", "--services", name)
    aws.completed()
    override = {"containerOverrides": [{"name": "app", "command": [*SHELL, "echo bye"]}]}
    answer = aws.command(
        *("ecs", "run-task", "--cluster", "demo", "--task-definition", aws.family, "--started-by", "me"),
        *("--overrides", json.dumps(override)),
    )
    arn = json.loads(answer)["tasks"][0]["taskArn"]
    aws.command("ecs", "wait", "tasks-stopped", "--cluster", "demo", "--tasks", arn)
    stream = f"test/app/{arn.rpartition('/')[2]}"
    of_group = ("logs", "filter-log-events", "--log-group-name", "/ecs/demo")
    of_task = json.loads(aws.command(*of_group, "--log-stream-names", stream))
    assert [each["message"] for each in of_task["events"]] == ["bye"]
    of_all = json.loads(aws.command(*of_group, "--filter-pattern", f'"{aws.family}"'))
    assert {each["message"] for each in of_all["events"]} == {f"hello {aws.family}"}


def test_following_logs_gives_each_line_once(aws: Aws) -> None:
    """As `aws logs tail --follow` asks: from the last line's time on, leaving out the ids that it has had."""
    ended = aws.run({"command": [*SHELL, "echo one; echo two; echo three"], "logConfiguration": LOGS})
    given = {
        "logGroupName": "/ecs/demo",
        "interleaved": True,
        "logStreamNamePrefix": f"test/app/{ended['taskArn'].rpartition('/')[2]}",
    }
    logs = aws.client("logs")
    first = logs.filter_log_events(**given, limit=2)
    rest = logs.filter_log_events(**given, nextToken=first["nextToken"])
    both = [*first["events"], *rest["events"]]
    assert [each["message"] for each in both] == ["one", "two", "three"]
    again = logs.filter_log_events(**given, startTime=both[1]["timestamp"])
    assert {each["eventId"] for each in again["events"]} <= {each["eventId"] for each in both}
    stream = logs.describe_log_streams(
        logGroupName="/ecs/demo", logStreamNamePrefix=given["logStreamNamePrefix"]
    )
    assert stream["logStreams"][0]["lastEventTimestamp"] == both[-1]["timestamp"]


@pytest.mark.parametrize("follow", [(), ("--follow",)], ids=["once", "follow"])
def test_logs_tail_shows_each_line_once(aws: Aws, follow: tuple[str, ...]) -> None:
    """`aws logs tail` of AWS CLI version 2, unchanged; `--follow` shows what is printed after it began, too."""
    program = aws_version_2()
    if program is None:
        pytest.skip("`aws logs tail` needs AWS CLI version 2, which is not on PATH")
    slowly = "for each in one two three; do echo $each; sleep 1; done"
    definition = aws.define({"command": [*SHELL, slowly], "logConfiguration": LOGS})
    task = aws.ecs.run_task(cluster="demo", taskDefinition=definition)["tasks"][0]
    stream = f"test/app/{task['taskArn'].rpartition('/')[2]}"
    if not follow:
        pace = {"Delay": 1, "MaxAttempts": 60}
        aws.ecs.get_waiter("tasks_stopped").wait(cluster="demo", tasks=[task["taskArn"]], WaiterConfig=pace)
    words = ("logs", "tail", "/ecs/demo", "--log-stream-name-prefix", stream, "--format", "short", *follow)
    # Releases before 2.13 do not read AWS_ENDPOINT_URL.
    tail = subprocess.Popen(
        [program, *words, "--endpoint-url", aws.environ["AWS_ENDPOINT_URL"]],
        env=aws.environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert tail.stdout is not None
        shown = [tail.stdout.readline().split()[-1:] for _ in range(3)]
        assert shown == [["one"], ["two"], ["three"]]
    finally:
        tail.terminate()
        rest, _ = tail.communicate(timeout=60)
    assert rest == ""


def test_a_tag_is_resolved_once_a_deployment(aws: Aws, engine: docker.DockerClient) -> None:
    """The digest is the registry's, of every task, and stays when the tag moves; a one-off task resolves it itself."""
    ecr = aws.client("ecr")
    uri = ecr.create_repository(repositoryName=aws.family)["repository"]["repositoryUri"]
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    login = dict(zip(("username", "password"), base64.b64decode(token).decode().split(":", 1), strict=True))

    def pushed(label: str) -> str:
        dockerfile = io.BytesIO(f"FROM busybox:latest\nLABEL is={label}\n".encode())
        engine.images.build(fileobj=dockerfile, tag=f"{uri}:latest")
        engine.images.push(uri, tag="latest", auth_config=login)
        details = ecr.describe_images(repositoryName=aws.family, imageIds=[{"imageTag": "latest"}])[
            "imageDetails"
        ]
        return str(details[0]["imageDigest"])

    def digests(arns: list[str]) -> set[str]:
        return {aws.task(arn)["containers"][0].get("imageDigest") for arn in arns}

    first = pushed("one")
    aws.create({"image": f"{uri}:latest"})
    aws.completed()
    second = pushed("two")
    aws.ecs.update_service(cluster="demo", service=aws.family, desiredCount=2)
    arns = aws.until(
        lambda: (
            aws.service()["runningCount"] == 2
            and aws.ecs.list_tasks(cluster="demo", serviceName=aws.family)["taskArns"]
        )
    )
    assert digests(arns) == {first}
    revision = aws.service()["currentServiceRevisions"][0]["arn"]
    (shown,) = aws.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"]
    assert shown["containerImages"] == [
        {"containerName": "app", "image": f"{uri}:latest", "imageDigest": first}
    ]
    ended = aws.run({"image": f"{uri}:latest", "command": ["true"]})
    assert ended["containers"][0]["imageDigest"] == second


def test_a_target_group_forwards_to_the_tasks(aws: Aws) -> None:
    """Its health is true, it listens on this machine, and a task that goes is deregistered."""
    elb = aws.client("elbv2")
    vpc = aws.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    group = elb.create_target_group(
        Name=aws.family, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", HealthCheckPath="/index.html"
    )["TargetGroups"][0]["TargetGroupArn"]
    server = "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 8080 -h /w"
    balanced = [{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}]
    aws.create(
        {"command": [*SHELL, server], "portMappings": [{"containerPort": 8080}], "stopTimeout": 0},
        definition={"networkMode": "awsvpc"},
        networkConfiguration=NETWORK,
        loadBalancers=balanced,
    )
    aws.completed()

    def states() -> list[str]:
        described = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [each["TargetHealth"]["State"] for each in described]

    assert states() == ["healthy"]
    tags = elb.describe_tags(ResourceArns=[group])["TagDescriptions"][0]["Tags"]
    address = {each["Key"]: each["Value"] for each in tags}["sandbox:address"]
    with urllib.request.urlopen(f"http://{address}/index.html", timeout=10) as answer:
        assert answer.read() == b"hello\n"
    assert any(
        "registered 1 targets in (target-group " in each["message"] for each in aws.service()["events"]
    )
    aws.ecs.update_service(cluster="demo", service=aws.family, desiredCount=0)
    aws.until(lambda: states() == [])
