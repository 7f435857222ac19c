"""Kind 2: what is used is never deleted, over histories of services, moved tags, odd documents and clean-ups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from ecr_widgets.errors import ImageInUse
from ecr_widgets.model.image_parts import Parts
from ecr_widgets.model.registry import Child, Image, ImageDetails
from ecr_widgets.model.services import Deployment, Service, Summary, Task
from ecr_widgets.steps import delete_images, find_unused_images
from ecr_widgets.steps.shared.image_uses import UsesOutcome
from tests.fakes import REGISTRY, FakeLayer0, World, digest_of
from tests.fakes.connections import FakeConnections, make_kit
from tests.faults.plan import batch

STEPS = 30
TAGS = ("live", "v1", "v2", "latest")
HOW = (None, None, None, *TAGS)
"""By digest as often as by tag."""
HOSTS = (
    REGISTRY,
    "111222333444.dkr.ecr.us-east-1.amazonaws.com",
    "111222333444.dkr-ecr.us-east-1.on.aws",
    "vpce-0a1b-2c3d.dkr.ecr.us-east-1.vpce.amazonaws.com",
    "images.example.com",
)
ELSEWHERE = "222333444555.dkr.ecr.us-east-1.amazonaws.com"
DOCUMENTS = (
    '{"containerDefinitions": [{"name": "a", "image": "IMAGE", "memory": 8}]}',
    '{"containerDefinitions": [{"name": "a", "image": "IMAGE", "environment": [{"name": 1}, {"name": 1}]}]}',
    '{"containerDefinitions": [{"image": "busybox", "image": "IMAGE"}]}',
    '{"containerDefinitions": [{"image": "IMAGE", "Image": "busybox"}, {"IMAGE": " IMAGE "}]}',
    '\ufeff{"CONTAINERDEFINITIONS": [{"Image": "IMAGE"}, {"image": "${OTHER}"}]}',
)
UNREADABLE = ("no JSON, but it runs: IMAGE", "")
RARELY = 20
"""One in so many documents cannot be read, or is deleted while it runs; until that is over, nothing may be deleted."""
NUMBERS = st.integers(0, 10**6)


class Running(FakeLayer0):
    """One whose tasks run until they are stopped."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.at_work: dict[str, Task] = {}

    def list_tasks(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        return tuple(Summary(each, each, "demo24e9e412", "demo") for each in self.at_work)

    def read_task(self, task_id: str) -> Task:
        return self.at_work[task_id]


class Uses(RuleBasedStateMachine):
    """What runs is known here by what a tag named when a copy was started; the tool is told by Layer0 and ECR alone."""

    deleted = 0
    """Images that clean-ups took, over all histories."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.to = FakeConnections(self.world)
        self.layer0 = Running(self.world)
        self.to.layer0 = self.layer0
        self.kit = make_kit(self.to, Path())
        self.kit.create_repository("app")
        self.runs: dict[str, set[str]] = {}
        """Digests by what runs them: a service's copies, or a task."""
        self.by: dict[str, str | None] = {}
        """The tag by which a service was deployed."""
        self.stored: dict[str, tuple[str, str]] = {}
        """Kind and name of what each stored deploy names."""
        self.about: dict[str, set[str]] = {}
        """What belongs to a digest."""
        self.pulled: dict[str, datetime] = {}
        """What was pulled by others than this tool."""
        self.made = 0

    # -- the registry

    def here(self) -> list[str]:
        return sorted(digest for _, digest in self.world.manifests)

    def put(self, tag: str | None) -> str:
        self.made += 1
        digest = digest_of(f"{self.made}")
        self.world.manifests.add(("app", digest))
        self.world.pushed_at[digest] = self.world.now
        if tag is not None:
            self.world.tags["app", tag] = digest
        return digest

    def pick(self, number: int) -> str | None:
        here = self.here()
        return here[number % len(here)] if here else None

    @rule(tag=st.sampled_from((None, *TAGS)))
    def push(self, tag: str | None) -> None:
        """An image, which takes its tag from another."""
        self.put(tag)

    @rule(tag=st.sampled_from((None, *TAGS)), more=st.integers(0, 2), proof=st.booleans(), shared=NUMBERS)
    def push_index(self, tag: str | None, more: int, proof: bool, shared: int) -> None:  # noqa: FBT001
        """An index of new images and perhaps one that stands already, with an attestation or without."""
        children = [self.put(None) for _ in range(more)]
        standing = self.pick(shared) if shared % 3 == 0 else None
        if standing is not None and standing not in self.world.subjects:
            children.append(standing)
        named = [Child(each, f"linux/{number}") for number, each in enumerate(children)]
        if proof and children:
            made = self.put(None)
            named.append(Child(made, "", children[0], is_image=False))
        index = self.put(tag)
        if named:
            self.world.details[index] = ImageDetails(children=tuple(named))
            self.about.setdefault(index, set()).update(each.digest for each in named)

    @rule(of=NUMBERS, ending=st.sampled_from((".sig", ".att", "")))
    def sign(self, of: int, ending: str) -> None:
        """A signature by tag, or a referrer."""
        digest = self.pick(of)
        if digest is None:
            return
        tag = digest.replace(":", "-") + ending
        if ending and ("app", tag) in self.world.tags:
            return
        made = self.put(tag if ending else None)
        if not ending:
            self.world.subjects[made] = digest
        self.about.setdefault(digest, set()).add(made)

    @rule(of=NUMBERS, tag=st.sampled_from(TAGS))
    def retag(self, of: int, tag: str) -> None:
        """A tag moves to an image that stands."""
        digest = self.pick(of)
        if digest is not None:
            self.world.tags["app", tag] = digest

    @rule(of=NUMBERS)
    def pull(self, of: int) -> None:
        """Somebody elsewhere pulls an image; of an index one of its images as well."""
        digest = self.pick(of)
        if digest is not None:
            self.pulled_by_others(digest)

    def pulled_by_others(self, digest: str) -> None:
        images = self.world.details.get(digest, ImageDetails()).images
        for each in (digest, *(child.digest for child in images[:1])):
            if ("app", each) in self.world.manifests:
                self.pulled[each] = self.world.pulled_at[each] = self.world.now

    @rule(days=st.sampled_from((0.01, 0.5, 3, 20, 50)))
    def wait(self, days: float) -> None:
        """Time passes."""
        self.world.now += timedelta(days=days)

    # -- Layer0

    def store(self, image: str, document: int) -> str:
        kinds = DOCUMENTS if document % RARELY else UNREADABLE
        text = kinds[document % len(kinds)].replace("IMAGE", image)
        # A name each: unlike ECS, the fake would give a version that is gone once more.
        self.made += 1
        return self.layer0.create_deploy(f"d{self.made}", text.encode()).deploy_id

    def named(self, of: int, tag: str | None, host: int) -> tuple[str, str | None]:
        """A reference by tag or digest, and the digest that it means now."""
        digest = self.world.tags.get(("app", tag)) if tag is not None else self.pick(of)
        if digest is None:
            return "", None
        at = HOSTS[host % len(HOSTS)]
        if tag == "latest" and host % 2:
            return f"{at}/app", digest
        return f"{at}/app:{tag}" if tag is not None else f"{at}/app@{digest}", digest

    def start(self, name: str, digest: str) -> None:
        self.runs.setdefault(name, set()).add(digest)
        self.pulled_by_others(digest)

    @rule(name=st.sampled_from("abc"), of=NUMBERS, tag=st.sampled_from(HOW), host=NUMBERS, odd=NUMBERS)
    def deploy(self, name: str, of: int, tag: str | None, host: int, odd: int) -> None:
        """A service is brought to an image, by whatever document."""
        image, digest = self.named(of, tag, host)
        if digest is None:
            return
        deploy_id = self.store(image, odd)
        began = Deployment("ecs-svc/1", deploy_id, "PRIMARY", 1, 1, 0, self.world.now)
        self.layer0.services[name] = Service(name, name, "demo24e9e412", 1, 1, 0, (began,))
        self.runs.pop(name, None)
        self.by[name] = tag
        self.start(name, digest)

    @rule(name=st.sampled_from("abc"))
    def scale(self, name: str) -> None:
        """Another copy asks anew what the tag names."""
        tag = self.by.get(name)
        digest = self.world.tags.get(("app", tag)) if tag is not None else None
        if name in self.runs and digest is not None:
            self.start(name, digest)

    @rule(name=st.sampled_from("abcxy"))
    def stop(self, name: str) -> None:
        """A service or a task ends."""
        self.runs.pop(name, None)
        self.by.pop(name, None)
        self.layer0.services.pop(name, None)
        self.layer0.at_work.pop(name, None)

    @rule(name=st.sampled_from("xy"), of=NUMBERS, tag=st.sampled_from(HOW), host=NUMBERS, odd=NUMBERS)
    def run_task(self, name: str, of: int, tag: str | None, host: int, odd: int) -> None:
        """A task, of which Layer0 does not tell when it began."""
        image, digest = self.named(of, tag, host)
        if digest is not None:
            self.runs.pop(name, None)
            deploy_id = self.store(image, odd)
            self.layer0.at_work[name] = Task(name, name, "demo24e9e412", deploy_id, 1, 0, "", ())
            self.start(name, digest)

    @rule(of=NUMBERS, tag=st.sampled_from(HOW), host=NUMBERS, odd=st.integers(0, 4))
    def store_only(self, of: int, tag: str | None, host: int, odd: int) -> None:
        """A deploy that nothing runs yet."""
        image, digest = self.named(of, tag, host)
        if digest is not None:
            self.stored[self.store(image, odd)] = ("tag", tag) if tag is not None else ("digest", digest)

    @rule(of=NUMBERS)
    def store_another_registrys(self, of: int) -> None:
        """Uses nothing of this one."""
        self.store(f"{ELSEWHERE}/app@{self.pick(of) or digest_of('x')}", 0)

    @rule(of=NUMBERS)
    def forget(self, of: int) -> None:
        """A stored deploy is deleted, perhaps one that runs."""
        if not self.layer0.deploys:
            return
        gone = self.layer0.deploys[of % len(self.layer0.deploys)]
        tasks = {task.deploy_id for task in self.layer0.at_work.values()}
        services = {each.deployments[0].deploy_id for each in self.layer0.services.values()}
        if gone.deploy_id not in tasks | services or of % RARELY == 0:
            self.layer0.deploys.remove(gone)
            self.stored.pop(gone.deploy_id, None)

    # -- what is tried

    def whole(self, digests: Iterable[str]) -> set[str]:
        """With all that belongs to them and is there."""
        found, waiting = set(), [*digests]
        while waiting:
            digest = waiting.pop()
            if digest not in found and ("app", digest) in self.world.manifests:
                found.add(digest)
                waiting += self.about.get(digest, ())
        return found

    def needed(self, *, pulled_within_days: float) -> set[str]:
        used = {digest for each in self.runs.values() for digest in each}
        for kind, name in self.stored.values():
            digest = self.world.tags.get(("app", name)) if kind == "tag" else name
            used |= {digest} if digest else set()
        since = self.world.now - timedelta(days=pulled_within_days)
        if pulled_within_days:
            used |= {digest for digest, at in self.pulled.items() if at >= since}
        return self.whole(used)

    @rule(
        keep=st.sampled_from((0, 0, 1, 3)),
        older=st.sampled_from((0.0, 0.0, 10.0)),
        pulled=st.sampled_from((0.0, 14.0)),
    )
    def clean_up(self, keep: int, older: float, pulled: float) -> None:
        """As the runbook does it."""
        self.clean(keep, older, pulled)

    @rule()
    def clean_up_all(self) -> None:
        """Everything that nothing uses."""
        self.clean(0, 0.0, 0.0)

    def clean(self, keep: int, older: float, pulled: float) -> None:
        needed = self.needed(pulled_within_days=pulled)
        before = set(self.here())
        found = self.kit.ecr.find_unused_images(
            "app", keep_newest=keep, older_than_days=older, pulled_within_days=pulled
        )
        try:
            done = self.kit.ecr.delete_images("app", found, typed_name="app")
        except ImageInUse as error:
            raise AssertionError(f"what was just called unused is used: {error}") from error
        left = set(self.here())
        assert needed <= left, f"{len(needed - left)} images that are used were deleted"
        assert before - left == {*done.deleted, *done.parts}, "the record tells of others than went"
        type(self).deleted += len(before - left)

    @rule(of=NUMBERS)
    def delete(self, of: int) -> None:
        """One image, named by somebody."""
        digest = self.pick(of)
        if digest is None:
            return
        needed = self.needed(pulled_within_days=0)
        try:
            self.kit.ecr.delete_images("app", [digest], typed_name="app")
        except ImageInUse:
            pass
        assert needed <= set(self.here()), (
            f"{len(needed - set(self.here()))} images that are used were deleted"
        )


def _by_name_alone(images: Iterable[Image], uses: UsesOutcome, _: Parts) -> Mapping[str, tuple[str, ...]]:
    """What a reference names now, and nothing else."""
    named = {image.digest: tuple(use.by for use in uses.uses if use.names(image)) for image in images}
    return {digest: by for digest, by in named.items() if by}


@contextmanager
def _blind() -> Iterator[None]:
    with (
        mock.patch.object(find_unused_images, "used_images", _by_name_alone),
        mock.patch.object(delete_images, "used_images", _by_name_alone),
    ):
        yield


def _failing(tries: int, number: int) -> str:
    how = settings(
        max_examples=tries,
        stateful_step_count=STEPS,
        database=None,
        deadline=None,
        print_blob=False,
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(number)(Uses), settings=how)
    except AssertionError as error:
        return "\n".join([str(error), *getattr(error, "__notes__", ())]) or "an assertion without a word"
    return ""


@batch(
    74,
    f"histories of up to {STEPS} pushes, moved tags, indexes, signatures, services and tasks, with unusual documents and"
    " several host names: no clean-up deletes what is used",
    tries=10_000,
    quick=20,
)
def uses(tries: int, seed: int) -> tuple[int, int, str]:
    """Nothing goes that runs, is stored, was pulled lately, or belongs to such an image; and clean-ups do clean up."""
    Uses.deleted = 0
    failed = _failing(tries, seed)
    deleted = Uses.deleted
    assert deleted > 0, "no clean-up found anything, so nothing was tried"
    with _blind():
        # A few hundred histories may by chance have none that it gets wrong.
        sensed = _failing(2000, seed)
    told = f"{failed[:600]}; " if failed else ""
    return int(bool(failed)), int(bool(sensed)), f"{told}{deleted} images deleted; control: {sensed[:80]}"
