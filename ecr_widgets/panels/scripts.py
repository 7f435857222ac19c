"""What each action of a panel does, as the small runbook that is saved as its run."""

from __future__ import annotations

from dataclasses import replace

from ecr_widgets.model.script import Script

DEPLOY = Script(
    "panel-deploy",
    "Deploy an image to a service",
    """\
repository: str = ""  # ECR repository of the image
digest: str = ""  # of the image
deploy: str = ""  # name that the deploy is stored under
dockerrun: str = ""  # file of the Dockerrun; empty for what the service runs
container: str | None = None  # container that gets the image
environment: str = ""  # environment of Layer0, or ecs:CLUSTER
service: str = ""  # service in it
on_failure: str = "stop"  # stop or rollback""",
    (
        "found = kit.find_image(repository, digest)",
        """\
stored = kit.create_deploy(
    deploy,
    dockerrun,
    image=found.image,
    container=container,
    environment=environment,
    service=service,
)""",
        "running = kit.deploy_service(environment, service, stored)",
        "stable = kit.wait(running, on_failure=on_failure)",
        "proof = kit.verify(running, found, container=container)",
    ),
)
ROLLBACK = Script(
    "panel-rollback",
    "Roll a service back to an earlier deploy",
    """\
environment: str = ""  # environment of Layer0, or ecs:CLUSTER
service: str = ""  # service in it
to_deploy: str = ""  # id of the deploy that it goes back to""",
    (
        "current = kit.find_service(environment, service)",
        "restored = kit.rollback(current, deploy_id=to_deploy)",
    ),
)
ROLLBACK_TO_DIGEST = replace(ROLLBACK, cells=(*ROLLBACK.cells, "proof = kit.verify(restored)"))
"""For a deploy that names an image of this registry by digest, so that it can be proven."""
SCALE = Script(
    "panel-scale",
    "Run more or fewer copies of a service",
    """\
environment: str = ""  # environment of Layer0, or ecs:CLUSTER
service: str = ""  # service in it
copies: int = 1  # copies that are wanted, 0 or more""",
    ("scaled = kit.layer0.scale_service(environment, service, copies)",),
)
TASK = Script(
    "panel-task",
    "Run a stored deploy once",
    """\
environment: str = ""  # environment of Layer0, or ecs:CLUSTER
task: str = ""  # name of the task
deploy_id: str = ""  # deploy that it runs
variables: dict | None = None  # environment variables by container; no secrets""",
    ("done = kit.create_task(environment, task, deploy_id, env_vars=variables)",),
)
PUSH = Script(
    "panel-push",
    "Push a local image",
    """\
local_image: str = ""  # name or id of the image on this engine
repository: str = ""  # ECR repository
tag: str = ""  # tag that it gets""",
    ("pushed = kit.push_image(local_image, repository=repository, tag=tag)",),
)
BUILD = Script(
    "panel-build",
    "Build a local image",
    """\
context: str = ""  # folder that is built
local_name: str = ""  # name that the image gets on this engine
dockerfile: str = "Dockerfile"  # in the folder""",
    ("built = kit.build_image(context, name=local_name, dockerfile=dockerfile)",),
)
TAG = Script(
    "panel-tag",
    "Give an image another tag",
    """\
repository: str = ""  # ECR repository
digest: str = ""  # of the image
tag: str = ""  # tag that it gets""",
    ("tagged = kit.ecr.tag_image(repository, digest, tag)",),
)
PULL = Script(
    "panel-pull",
    "Pull an image to this engine",
    """\
repository: str = ""  # ECR repository
reference: str = ""  # tag or digest""",
    ("pulled = kit.pull_image(repository, reference)",),
)
DELETE_IMAGE = Script(
    "panel-delete-image",
    "Delete an image with all its tags",
    """\
repository: str = ""  # ECR repository
digest: str = ""  # of the image
typed_name: str = ""  # the repository's name once more""",
    ("deleted = kit.ecr.delete_images(repository, [digest], typed_name=typed_name)",),
)
CREATE_REPOSITORY = Script(
    "panel-create-repository",
    "Create a repository",
    """\
repository: str = ""  # its name
tags_immutable: bool = False  # whether its tags can never move
scan_on_push: bool = True  # whether each image is scanned
encryption: str = "AES256"  # cannot be changed later
kms_key: str = ""  # ARN, id or alias; empty for AWS's own""",
    (
        """\
created = kit.create_repository(
    repository,
    tags_immutable=tags_immutable,
    scan_on_push=scan_on_push,
    encryption=encryption,
    kms_key=kms_key,
)""",
    ),
)
CHANGE_REPOSITORY = Script(
    "panel-settings",
    "Change the settings of a repository",
    """\
repository: str = ""  # its name
tags_immutable: bool | None = None  # whether its tags can never move; None leaves that
scan_on_push: bool | None = None  # whether each image is scanned; None leaves that
tag_exceptions: list | None = None  # tags that the rule is not for; None leaves them""",
    (
        """\
changed = kit.ecr.change_repository(
    repository,
    tags_immutable=tags_immutable,
    scan_on_push=scan_on_push,
    tag_exceptions=tag_exceptions,
)""",
    ),
)
LIFECYCLE = Script(
    "panel-lifecycle",
    "Set the lifecycle policy of a repository",
    """\
repository: str = ""  # its name
untagged_days: int = 0  # days after which untagged images expire; 0 for never
keep_newest: int = 0  # images that are kept; 0 for all""",
    (
        """\
policy = kit.ecr.set_lifecycle_policy(repository, untagged_days=untagged_days, keep_newest=keep_newest)""",
    ),
)
DELETE_REPOSITORY = Script(
    "panel-delete-repository",
    "Delete a repository",
    """\
repository: str = ""  # its name
typed_name: str = ""  # the name once more
with_images: bool = False  # whether its images go, too""",
    ("deleted = kit.ecr.delete_repository(repository, typed_name=typed_name, with_images=with_images)",),
)
