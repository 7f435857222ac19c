"""The settings of a Dockerrun that a record keeps."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ecr_widgets.dockerrun.diff import contents, diff
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.kept_settings import kept_settings
from tests.unit.dockerrun.definitions import ROLE, ecs


def kept(**container: Any) -> dict[str, str]:
    document = {"containerDefinitions": [{"name": "web", "image": "app:1", "memory": 64} | container]}
    return dict(kept_settings(Dockerrun.parse(json.dumps(document).encode())))


def test_every_setting_is_kept_by_the_names_of_its_container() -> None:
    """Each setting is kept under its container's name, image first, without what Layer0 and ECS add."""
    told = kept(
        essential=True, command=["serve", "8080"], portMappings=[{"containerPort": 80, "hostPort": 8080}]
    )
    assert list(told.items()) == [
        ("containerDefinitions/web/image", "app:1"),
        ("containerDefinitions/web/command", '["serve", "8080"]'),
        ("containerDefinitions/web/memory", "64"),
        ("containerDefinitions/web/portMappings", '[{"containerPort": 80, "hostPort": 8080}]'),
    ]


def test_no_value_of_an_environment_variable_is_kept() -> None:
    """Values of environment variables are always masked."""
    told = kept(environment=[{"name": "MODE", "value": "hunter2"}, {"name": "EMPTY", "value": ""}])
    assert "hunter2" not in str(told)
    assert {
        told["containerDefinitions/web/environment/MODE"],
        told["containerDefinitions/web/environment/EMPTY"],
    } == {"***"}


@pytest.mark.parametrize(
    "container",
    [
        {"command": ["run", "--db-password", "hunter2"]},
        {"command": ["run", "--db-password=hunter2"]},
        {"command": ["sh", "-c", "API_TOKEN=hunter2 run"]},
        {"command": ["run", "aB3hunter2aB3hunter2aB3"]},
        {"command": ["run", "https://me:hunter2@db.test/"]},
        {"entryPoint": ["run", "-secret", "hunter2"]},
        {"dockerLabels": {"deploy-key": "hunter2"}},
        {"logConfiguration": {"logDriver": "splunk", "options": {"splunk-token": "hunter2"}}},
    ],
    ids=lambda container: json.dumps(container)[:50],
)
def test_what_is_named_or_looks_like_a_secret_is_masked(container: dict[str, Any]) -> None:
    """A setting that is named or looks like a secret is kept with its value masked."""
    told = json.dumps(kept(**container))
    assert "hunter2" not in told
    assert "***" in told


def test_ordinary_arguments_are_kept_as_they_are() -> None:
    """Ordinary arguments are kept unmasked."""
    command = ["serve", "--listen", "0.0.0.0:8080", "--workers=4", "/usr/local/bin/start.sh"]
    assert json.loads(kept(command=command)["containerDefinitions/web/command"]) == command


SECRET_TEXTS = ["hunter2-hunter2", "https://token1Token2Token3@git.example/x", "postgres://app:hun/ter2@db/app", "-----BEGIN PRIVATE KEY-----"]  # fmt: skip


@pytest.mark.parametrize("value", [*SECRET_TEXTS, "plain", "", "1"])
def test_no_value_of_an_environment_variable_is_in_a_difference(value: str) -> None:
    """Values of environment variables are masked in each difference and list of contents, with only marks to compare them."""
    containers = (
        {},
        {"environment": [{"name": "A", "value": "other"}]},
        {"environment": [{"name": "A", "value": value}]},
        {"environment": [{"name": "A", "value": value}, {"name": "B", "value": value}]},
    )
    made = [
        Dockerrun.parse(
            json.dumps(
                {"containerDefinitions": [{"name": "web", "image": "app:1", "memory": 64} | each]}
            ).encode()
        )
        for each in containers
    ]
    pairs = [(one, other) for one in made for other in made if one is not other]
    told = "\n".join(str(change) for one, other in pairs for change in diff(one, other))
    told += "\n" + "\n".join(str(change) for each in made for change in contents(each))
    values = re.findall(r"environment(?:/\w+)?: (.*)", told)
    assert values
    assert re.fullmatch(r"(?:[{}\",: →AB]|\*\*\* \([0-9a-f]{8}\))+", "".join(values)), values


def test_a_secret_in_a_command_or_label_is_masked_by_its_looks() -> None:
    """Tokens, passwords and hashes in commands, labels and health checks are masked by their form."""
    token = "glpat" + "-aB3dE5fG7hJ9kL1mN3pQ"
    command = [
        "sh",
        "-c",
        f"curl -H 'PRIVATE-TOKEN: {token}' x",
        "--dsn",
        "host=db password=hunter2 user=u",
        "curl",
        "-u",
        "me:hunter2",
    ]
    labels = {"basicauth.users": "me:$apr1$aB3dE5fG$aB3dE5fG7hJ9kL1mN3pQ7h", "note": "plain"}
    check = {"command": ["CMD-SHELL", "redis-cli -u redis://:hunter2@localhost ping"]}
    told = json.dumps(kept(command=command, dockerLabels=labels, healthCheck=check))
    assert "hunter2" not in told
    assert token not in told
    assert "aB3dE5fG" not in told
    assert "plain" in told
    assert "user=u" in told


def test_a_task_definition_keeps_where_its_secrets_are_and_not_what_they_are() -> None:
    """References to secrets are kept; tokens in log options, pasted secrets and unknown secret members are masked."""
    arn = "arn:aws:secretsmanager:us-east-1:111222333444:secret:prod/db-AbCdEf:password::"
    file = "arn:aws:s3:::config/secret.env"
    read = ecs(
        {
            "secrets": [
                {"name": "DB_PASSWORD", "valueFrom": arn},
                {"name": "SSM", "valueFrom": "/Prod/App1/DatabasePassword"},
                {"name": "PASTED", "valueFrom": "aB3hunter2aB3hunter2aB3"},
            ],
            "repositoryCredentials": {"credentialsParameter": arn},
            "environmentFiles": [{"value": file, "type": "s3"}],
            "logConfiguration": {
                "logDriver": "awsfirelens",
                "options": {"Name": "datadog", "apikey": "hunter2", "HTTP_Passwd": "hunter2"},
                "secretOptions": [{"name": "splunk-token", "valueFrom": arn}],
            },
            "firelensConfiguration": {"type": "fluentbit", "options": {"auth-token": "hunter2"}},
            "newThing": {"accessKey": "hunter2", "plain": "kept"},
        },
        executionRoleArn=ROLE,
        newSecret=["hunter2"],
    )
    web = "containerDefinitions/web"
    told = kept_settings(read)
    assert {place: value for place, value in told.items() if place.startswith(f"{web}/secrets")} == {
        f"{web}/secrets/DB_PASSWORD/valueFrom": arn,
        f"{web}/secrets/SSM/valueFrom": "/Prod/App1/DatabasePassword",
        f"{web}/secrets/PASTED/valueFrom": "***",
    }
    assert told[f"{web}/repositoryCredentials/credentialsParameter"] == arn
    assert told[f"{web}/logConfiguration/secretOptions/splunk-token/valueFrom"] == arn
    assert told[f"{web}/newThing/plain"] == "kept"
    assert file in told[f"{web}/environmentFiles"]
    for text in (
        json.dumps(dict(told)),
        *map(str, contents(read)),
        *map(str, diff(ecs(), read)),
        *map(str, diff(read, ecs())),
    ):
        assert "hunter2" not in text
    changed = [
        str(each)
        for each in diff(
            read, ecs({"secrets": [{"name": "DB_PASSWORD", "valueFrom": "db"}]}, executionRoleArn=ROLE)
        )
    ]
    assert any(arn in each and '"db"' in each for each in changed)
