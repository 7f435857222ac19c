"""What is tried on each engine, in this order: each step leaves what the next ones need.

A step is right where it did what a user wants of it, or where it was refused in words and nothing was changed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tests.engines.bench import Bench, Done

HEREDOC = """\
FROM busybox
RUN <<EOF
echo {tag} > /made
EOF
"""


@dataclass(frozen=True)
class Outcome:
    """How a step went.

    Args:
        refused: The words of a refusal.

        note: What was seen.
    """

    ok: bool
    note: str
    refused: str | None = None


def start_sandbox(bench: Bench) -> Outcome:
    """`sandbox up`"""
    bench.before = bench.content()
    done = bench.up()
    return Outcome(done.code == 0, "up" if done.code == 0 else done.words)


def doctor(bench: Bench) -> Outcome:
    """`doctor` names the engine that is asked"""
    done = bench.call("doctor")
    named = bench.docker_host in done.stdout
    return Outcome(done.code == 0 and named, "named" if named else "the engine's address is not in it")


def contract(bench: Bench) -> Outcome:
    """the contract's cases for an engine"""
    cases = bench.source / "tests" / "contract" / "test_engine.py"
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "-k", "sandbox"]
    # Each starts a sandbox of its own on the same engine.
    environ, bench.sandbox_environ = bench.sandbox_environ, {}
    try:
        done = bench.run(sys.executable, *words, cases, cwd=bench.source)
        bench.remove_images("contract/")
    finally:
        bench.sandbox_environ = environ
    summary = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.words
    passed = done.code == 0 and "passed" in summary and "skipped" not in summary
    failed = re.findall(r"^FAILED \S+::(\w+)", done.stdout, re.MULTILINE)
    counts = ", ".join(re.findall(r"\d+ (?:passed|failed|errors?|skipped)", summary)) or summary
    return Outcome(passed, ": ".join(filter(None, [counts, ", ".join(failed)])))


def release(bench: Bench) -> Outcome:
    """runbook `release`"""
    return _of_run(bench.runbook("release"))


def release_again(bench: Bench) -> Outcome:
    """`release` again changes nothing"""
    done = bench.runbook("release")
    outcome = _of_run(done)
    if not outcome.ok:
        return outcome
    changed = [step["step"] for step in done.document["steps"] if step["changed"]]
    return Outcome(
        not changed, f"changed: {', '.join(changed)}" if changed else "`changed: false` at every step"
    )


def build_heredoc(bench: Bench) -> Outcome:
    """a Dockerfile with a heredoc, without buildx: built as it says, or refused before"""
    return _build_heredoc(bench, "plain")


def build_heredoc_by_buildx(bench: Bench) -> Outcome:
    """the same with buildx"""
    with bench.buildx():
        return _build_heredoc(bench, "buildx")


def _build_heredoc(bench: Bench, tag: str) -> Outcome:
    context = bench.folder / tag
    context.mkdir()
    (context / "Dockerfile").write_text(HEREDOC.format(tag=tag))
    local_name = f"engines/{tag}"
    given = {
        "context": str(context),
        "dockerfile": "Dockerfile",
        "local_name": local_name,
        "repository": "built",
    }
    done = bench.runbook("push", tag=tag, **given)
    if done.code != 0:
        nothing = bench.digest("built", tag) is None
        return Outcome(nothing and "RUN <<" in _reason(done), "refused", _reason(done))
    if bench.file_of(local_name, "/made") != f"{tag}\n":
        return Outcome(ok=False, note="succeeded, and what the heredoc makes is not in the image")
    again = bench.runbook("push", tag=tag, **given)
    changed = [step["step"] for step in again.document["steps"] if step["changed"]]
    return Outcome(
        again.code == 0 and not changed,
        f"built; again: {'changed ' + ', '.join(changed) if changed else 'nothing changed'}",
    )


def immutable_tag(bench: Bench) -> Outcome:
    """pushing another image over an immutable tag is refused as that"""
    bench.create_repository("immutable", immutable=True)
    for number in (1, 2):
        bench.build(f"FROM busybox\nRUN echo {number} > /number\n", f"engines/number:{number}")
    first = bench.call("push", "engines/number:1", "immutable", "1")
    if first.code != 0:
        return Outcome(ok=False, note=f"the first push failed: {first.words}")
    same = bench.call("push", "engines/number:1", "immutable", "1")
    if same.code != 0:
        return Outcome(ok=False, note=f"the same again failed: {same.words}")
    before = bench.digest("immutable", "1")
    other = bench.call("push", "engines/number:2", "immutable", "1")
    kept = bench.digest("immutable", "1") == before
    told = other.code == 1 and "immutable" in other.words
    return Outcome(kept and told, "the tag stays" if kept else "the tag moved", other.words)


def push_index(bench: Bench) -> Outcome:
    """pushing what was pulled by an index, to an immutable tag: the index, or a refusal"""
    bench.create_repository("indexes")
    bench.create_repository("of-one", immutable=True)
    bench.create_repository("of-two", immutable=True)
    bench.call("push", "engines/number:1", "indexes", "image")
    own = bench.architecture()
    other = "arm64" if own == "amd64" else "amd64"
    notes, refused, right = [], None, True
    for target, platforms in {"of-one": (own,), "of-two": (own, other)}.items():
        index = bench.put_index("indexes", target, of="image", platforms=platforms)
        local = bench.pull("indexes", target)
        done = bench.call("push", local, target, "1")
        stands = bench.digest(target, "1")
        if done.code == 0 and stands == index:
            notes.append(f"{target}: the index")
        elif done.code != 0 and stands is None:
            notes.append(f"{target}: refused")
            refused = done.words
        elif done.code == 0 and "index" in done.stderr:
            notes.append(f"{target}: one image, told")
        else:
            right = False
            notes.append(
                f"{target}: {'failed, and' if done.code else 'succeeded, and'} the tag is on another digest"
            )
    return Outcome(right, "; ".join(notes), refused)


def clean_up(bench: Bench) -> Outcome:
    """clean-up with an index in use leaves the index and its images"""
    bench.create_repository("used")
    for tag, number in {"image": "1", "unused": "2"}.items():
        bench.call("push", f"engines/number:{number}", "used", tag)
    own = bench.architecture()
    unused = bench.digest("used", "unused")
    index = bench.put_index(
        "used", "index", of="image", platforms=(own, "arm64" if own == "amd64" else "amd64")
    )
    dockerrun = bench.folder / "used.dockerrun.aws.json"
    dockerrun.write_text(
        '{"containerDefinitions": [{"name": "a", "image": "a", "memory": 16, "essential": true,'
        ' "command": ["sleep", "600"]}]}'
    )
    deployed = bench.call("deploy", "demo", "used", f"used@{index}", dockerrun, "--timeout", "60")
    if deployed.code != 0:
        return Outcome(ok=False, note=f"deploying the index failed: {deployed.words}")
    done = bench.runbook("clean_up", repository="used", keep_newest="0", older_than_days="0", confirm="used")
    left = {each["imageDigest"] for each in bench.ecr().list_images(repositoryName="used")["imageIds"]}
    notes = []
    if done.code != 0:
        notes.append(_reason(done))
    if len(left - {unused}) < 3:
        notes.append("images of the index are gone")
    if unused in left:
        notes.append("the unused image stays")
    return Outcome(not notes, "; ".join(notes) or "the unused image went, the index and its two images stay")


def stop_sandbox(bench: Bench) -> Outcome:
    """`sandbox down` leaves the engine as it was"""
    done = bench.down()
    if done.code != 0:
        return Outcome(ok=False, note=done.words)
    added, missing = bench.content() - bench.before, bench.before - bench.content()
    notes = [f"left: {', '.join(sorted(added))}"] if added else []
    notes += [f"missing: {', '.join(sorted(missing))}"] if missing else []
    return Outcome(not notes, "; ".join(notes) or "nothing left")


STEPS: tuple[Callable[[Bench], Outcome], ...] = (
    start_sandbox,
    doctor,
    contract,
    release,
    release_again,
    build_heredoc,
    build_heredoc_by_buildx,
    immutable_tag,
    push_index,
    clean_up,
    stop_sandbox,
)


def title(step: Callable[[Bench], Outcome]) -> str:
    """What a step tries, for a table."""
    return str(step.__doc__)


def _of_run(done: Done) -> Outcome:
    return Outcome(done.code == 0, "succeeded" if done.code == 0 else _reason(done))


def _reason(done: Done) -> str:
    try:
        return str(done.document["reason"])
    except ValueError:
        return done.words
