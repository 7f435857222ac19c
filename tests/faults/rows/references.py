"""Kind 1: a registry in a reference is part of it, wherever a person gives one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ecr_widgets.errors import InvalidReference
from ecr_widgets.kit import Kit
from ecr_widgets.model.image_reference import ImageReference
from tests.fakes import REGISTRY, World, digest_of
from tests.fakes.connections import FakeConnections, make_kit
from tests.faults.plan import Attempt, row

OWN = (
    REGISTRY,
    "111222333444.dkr.ecr.us-east-1.amazonaws.com",
    "111222333444.dkr.ecr.us-east-1.amazonaws.com:443",
    "111222333444.dkr-ecr.us-east-1.on.aws",
    "111222333444.dkr.ecr-fips.us-east-1.amazonaws.com",
    "111222333444.dkr.ecr.us-east-1.vpce.amazonaws.com",
)
OTHERS = (
    "222333444555.dkr.ecr.us-east-1.amazonaws.com",
    "111222333444.dkr.ecr.eu-west-1.amazonaws.com",
    "222333444555.dkr-ecr.eu-west-1.on.aws",
    "111222333444.dkr.ecr.cn-north-1.amazonaws.com.cn",
    "vpce-0a1b-2c3d.dkr.ecr.us-east-1.vpce.amazonaws.com",
    "docker.io",
    "ghcr.io",
    "registry.example.com",
    "localhost:5000",
    "registry.test:5001",
)
Act = Callable[[Kit, str], object]
ACTS: tuple[Act, ...] = (
    lambda kit, app: kit.ecr.copy_image(app, "1", to_repository="app", to_tag="prod"),
    lambda kit, app: kit.ecr.copy_image("app", "1", to_repository=app, to_tag="prod"),
    lambda kit, app: kit.push_image("local", repository=app, tag="prod"),
    lambda kit, app: kit.ecr.tag_image(app, "1", "prod"),
    lambda kit, app: kit.create_repository(app),
    lambda kit, app: kit.find_image(app, "1"),
    lambda kit, app: kit.ecr.change_repository(app, tags_immutable=True),
    lambda kit, app: kit.ecr.set_lifecycle_policy(app, untagged_days=1),
    lambda kit, app: kit.ecr.delete_images(app, [digest_of("old")], typed_name=app),
    lambda kit, app: kit.ecr.delete_repository(app, typed_name=app, with_images=True),
    lambda kit, app: kit.check_target(repository=app, tag="1"),
    lambda kit, app: list(kit.look.images(app)),
    lambda kit, app: kit.find_image(kit.name_of(ImageReference.parse(f"{app}:1")), "1"),
)


def _world() -> World:
    world = World()
    to = FakeConnections(world)
    to.ecr.create_repository("app", tags_immutable=False, scan_on_push=False)
    world.tags = {("app", "1"): digest_of("1"), ("app", "prod"): digest_of("prod")}
    world.manifests = {("app", digest_of(name)) for name in ("1", "prod", "old")}
    world.local["local"] = digest_of("local")
    world.changes.clear()
    return world


def _one(folder: Path, act: Act, host: str, *, naive: bool) -> None:
    world = _world()
    kit = make_kit(FakeConnections(world), folder)
    before = (dict(world.tags), set(world.manifests), dict(world.repositories))
    try:
        act(kit, "app" if naive else f"{host}/app")
    except InvalidReference:
        assert host in OTHERS, f"{host} is a name of the registry that is used"
        assert (world.tags, world.manifests, world.repositories) == before
        assert world.changes == []
    else:
        assert host in OWN, f"{host} was dropped, and {world.changes or 'nothing'} done"
        assert set(world.repositories) <= {"app"}


def _all(at: Attempt, *, naive: bool = False) -> None:
    hosts = OTHERS if naive else (*OWN, *OTHERS)
    for act in ACTS:
        _one(at.folder, act, at.rng.choice(hosts), naive=naive)


@row(
    73,
    f"{len(ACTS)} ways to name a repository by {len(OWN)} names of the own registry and {len(OTHERS)} of others;"
    " control: the host is dropped",
    tries=300,
    quick=20,
    control=lambda at: _all(at, naive=True),
)
def references(at: Attempt) -> None:
    """Each name of the own registry means it; every other is refused, and nothing has changed."""
    _all(at)
