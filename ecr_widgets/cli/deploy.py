"""`ecr-widgets deploy`."""

from __future__ import annotations

from pathlib import Path

import click

import ecr_widgets
from ecr_widgets.cli.gating import override_option
from ecr_widgets.cli.printing import GivenPath, json_option, service_file_option, tell
from ecr_widgets.cli.waiting import timeout_option, wait_option


@click.command(name="deploy")
@click.argument("environment")
@click.argument("service")
@click.argument("image")
@click.argument("dockerrun", type=GivenPath(dir_okay=False), required=False)
@click.option(
    "--name",
    help="Name of the stored deploy  [default: the service's; without DOCKERRUN, that of the deploy it runs]",
)
@click.option("--container", help="Container that runs the image, if the Dockerrun has several.")
@click.option("--load-balancer", metavar="NAME", help="Layer0's load balancer for a new service.")
@service_file_option
@click.option("--apply-settings", is_flag=True, help="Change an existing service to match the service file.")
@click.option("--allow-risks", is_flag=True, help="Let DOCKERRUN give containers power over their machine.")
@timeout_option(600.0)
@click.option(
    "--on-failure",
    type=click.Choice(["stop", "rollback"]),
    default="stop",
    show_default=True,
    help="What to do with a service that does not become stable.",
)
@wait_option("--wait")
@override_option
@json_option
def command(
    environment: str,
    service: str,
    image: str,
    dockerrun: Path | None,
    *,
    name: str | None,
    container: str | None,
    load_balancer: str | None,
    service_file: Path | None,
    apply_settings: bool,
    allow_risks: bool,
    timeout_s: float,
    on_failure: str,
    wait_if_busy_s: float,
    as_json: bool,
) -> None:
    """Deploy IMAGE (REPOSITORY:TAG or REPOSITORY@DIGEST of the account's registry) to SERVICE of ENVIRONMENT.

    ENVIRONMENT is one of Layer0, or ecs:CLUSTER. Stores DOCKERRUN, which may be a task definition of ECS, with the image's digest, creates or updates the service, waits, and verifies what runs. Without DOCKERRUN, it deploys what the service runs now, with the new image.
    """
    from ecr_widgets.errors import InvalidReference
    from ecr_widgets.model.image_reference import ImageReference

    reference = ImageReference.parse(image)
    wanted = reference.digest or reference.tag
    if wanted is None:
        raise InvalidReference(f"{image} has neither tag nor digest", hint="add one")
    kit = ecr_widgets.connect(wait_s=wait_if_busy_s)
    repository = kit.name_of(reference)
    document, deploy = dockerrun or "", name or (service if dockerrun else "")
    with kit.hold_service(environment, service):
        kit.check_target(
            environment=environment,
            service=service,
            dockerrun=document,
            container=container,
            deploy=deploy,
            load_balancer=load_balancer,
            service_file=service_file,
            allow_risks=allow_risks,
        )
        image_found = kit.find_image(repository, wanted)
        stored = kit.create_deploy(
            deploy,
            document,
            image=image_found.image,
            container=container,
            environment=environment,
            service=service,
            allow_risks=allow_risks,
        )
        running = kit.deploy_service(
            environment,
            service,
            stored,
            load_balancer=load_balancer,
            service_file=service_file,
            apply_settings=apply_settings,
        )
        kit.wait(running, timeout_s=timeout_s, on_failure=on_failure)
        proof = kit.verify(running, image_found, container=container)
    tell(proof, f"{service} runs {proof.image} ({proof.deploy_id})", as_json=as_json)
