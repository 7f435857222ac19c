"""Runs saved in a bucket, by hosts that share nothing else."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.model.bucket_path import BucketPath
from tests.buckets import Buckets
from tests.hosts import BIN, Host, hosts
from tests.notebooks.engine_runs import write_runbook

COUNT = "open('count', 'a').write('x')"
WAIT = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)"


@pytest.fixture
def both(s3: Buckets, tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    with hosts(s3, tmp_path, "one", "other") as (one, other):
        yield one, other


def saved(s3: Buckets, place: BucketPath) -> dict[str, Any]:
    store = s3.store(place)
    return {name: json.loads((store.read(name) or (b"",))[0]) for name in store.names()}


def until(what: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@contextmanager
def started(host: Host, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = host.start("run", *words)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_run_is_saved_and_sealed_in_the_bucket(both: tuple[Host, Host], s3: Buckets) -> None:
    """A run in a bucket is saved and sealed there under its usual name, and nothing of it is on this machine."""
    one, _ = both
    write_runbook(one.checkout, [COUNT])
    told = one.run("book.ipynb")
    assert told["state"] == "succeeded"
    assert "unsealed" not in told
    [(name, run)] = saved(s3, one.place).items()
    assert told["notebook"] == f"{one.place}/{name}"
    assert run["metadata"]["ecr_widgets"]["state"] == "succeeded"
    assert [path.name for path in one.checkout.iterdir()] != []
    assert not [*one.checkout.rglob("runs*")]
    store = s3.store(one.place)
    [seal] = store.names(prefix="seals/")
    assert re.fullmatch(r"seals/\d{4}/\d\d/\d\d/000000000001\.json", seal)
    [lease] = store.names(prefix="leases/run/")
    assert json.loads((store.read(lease) or (b"",))[0])["free"] is True


def test_a_run_that_was_killed_is_resumed_on_another_host(both: tuple[Host, Host], s3: Buckets) -> None:
    """A killed run is resumed on another host after its lease ends, and not before; its first attempt is kept."""
    one, other = both
    write_runbook(one.checkout, [COUNT, WAIT])
    with started(one, "book.ipynb") as process:
        until(lambda: saved(s3, one.place) and (one.checkout / "count").exists())
        [name] = saved(s3, one.place)
        run_id = name[:23]
        busy = other.run("--resume", run_id, code=5)
        assert re.search(
            r"is still running: run .* holds|is still running: run .*; its lease ends in", busy["reason"]
        )
        process.send_signal(signal.SIGKILL)
    (one.checkout / "go").touch()
    until(lambda: s3.store(one.place) and other_can_resume(other, run_id))
    [run] = saved(s3, one.place).values()
    ours = run["metadata"]["ecr_widgets"]
    assert (ours["state"], len(ours["attempts"])) == ("succeeded", 1)
    assert (one.checkout / "count").read_text() == "xx"


def other_can_resume(host: Host, run_id: str) -> bool:
    process = host.start("run", "--resume", run_id, "--json")
    out, err = process.communicate()
    assert process.returncode in (0, 5), out + err
    return process.returncode == 0


def test_a_run_that_was_asleep_saves_nothing_more(both: tuple[Host, Host], s3: Buckets) -> None:
    """A run stopped past its lease and resumed elsewhere ends when it wakes up, and does not change what was saved."""
    one, other = both
    write_runbook(one.checkout, [COUNT, WAIT])
    with started(one, "book.ipynb") as process:
        until(lambda: (one.checkout / "count").exists() and saved(s3, one.place))
        process.send_signal(signal.SIGSTOP)
        [name] = saved(s3, one.place)
        (one.checkout / "go").touch()
        until(lambda: other_can_resume(other, name[:23]))
        after = saved(s3, one.place)
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1, out + err
        assert "another process has taken over the run" in err
    assert saved(s3, one.place) == after
    assert after[name]["metadata"]["ecr_widgets"]["state"] == "succeeded"


def test_a_run_that_was_changed_since_it_was_sealed_is_not_resumed(
    both: tuple[Host, Host], s3: Buckets
) -> None:
    """A run in a bucket that was changed since it was sealed is not resumed; restored, it is, even without the key."""
    one, other = both
    write_runbook(one.checkout, [COUNT, "open('go').close()"])
    run_id = one.run("book.ipynb", code=1)["run_id"]
    store = s3.store(one.place)
    [name] = store.names()
    stored = store.read(name)
    assert stored is not None
    evil = stored.content.replace(b"open('count', 'a').write('x')", b"open('count', 'a').write('!')")
    stamp = store.put(name, evil, replacing=stored.stamp)
    refused = other.run("--resume", run_id, code=2)
    assert "was changed since it was sealed" in refused["reason"]
    assert "audit verify" in refused["reason"]
    assert (one.checkout / "count").read_text() == "x"
    store.put(name, stored.content, replacing=stamp)
    (one.checkout / "go").touch()
    assert other.run("--resume", run_id)["state"] == "succeeded"


def test_a_folder_that_another_host_does_not_have_is_named(
    both: tuple[Host, Host], s3: Buckets, tmp_path: Path
) -> None:
    """If the runbook's folder does not exist on another host, resuming there is refused with its name."""
    one, other = both
    write_runbook(one.checkout, ["1/0"])
    run_id = one.run("book.ipynb", code=1)["run_id"]
    one.checkout.rename(tmp_path / "moved")
    other.checkout = tmp_path
    refused = other.run("--resume", run_id, code=2)
    assert "checkout' in which run" in refused["reason"]


def test_a_slot_is_run_once_by_all_hosts(both: tuple[Host, Host], s3: Buckets) -> None:
    """A slot is run once by all hosts that trust each other, even if they start it at the same moment."""
    one, other = both
    write_runbook(one.checkout, [COUNT])
    one.trust(other)
    other.trust(one)
    processes = [host.start("run", "book.ipynb", "--slot", "s", "--json") for host in both]
    told = [process.communicate() for process in processes]
    assert {process.returncode for process in processes} <= {0, 5}, told
    for host in both:
        assert host.run("book.ipynb", "--slot", "s")["state"] == "succeeded"
    assert (one.checkout / "count").read_text() == "x"
    assert len(saved(s3, one.place)) == 1


def test_papermill_saves_in_the_bucket_by_our_store(both: tuple[Host, Host], s3: Buckets) -> None:
    """Papermill's own writes to the bucket use our store, with its conditions."""
    one, _ = both
    write_runbook(one.checkout, [COUNT])
    process = one.popen(
        [BIN / "papermill", "book.ipynb", f"{one.place}/mine.ipynb", "--engine", "ecr_widgets"]
    )
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    run = saved(s3, one.place)["mine.ipynb"]
    assert run["metadata"]["ecr_widgets"]["state"] == "succeeded"
    there = s3.client().head_object(Bucket=one.place.bucket, Key=f"{one.place.key}/mine.ipynb")
    assert "ecr-widgets-nonce" in there["Metadata"]
    assert len([*s3.store(one.place).names(prefix="seals/")]) == 1


def test_a_target_that_a_run_held_is_free_when_it_has_ended(both: tuple[Host, Host], s3: Buckets) -> None:
    """When a run has ended, the lease of a target that it held is free."""
    one, _ = both
    hold = "from ecr_widgets import connect\nwith connect()._outside.targets.hold('service web'): pass"
    write_runbook(one.checkout, [hold])
    one.run("book.ipynb")
    store = s3.store(one.place)
    [lease] = store.names(prefix="leases/target/")
    told = json.loads((store.read(lease) or (b"",))[0])
    assert (told["target"], told["free"]) == ("service web", True)


FORM = """
import json
from ecr_widgets import open_desk, open_form
form = open_form("book.ipynb")
told = form.run()
rows = open_desk().runs
print(json.dumps([told["notebook"], str(form.saved), form.to_html(), [row.path for row in rows]]))
"""


def test_a_form_saves_where_the_team_does_and_the_desk_lists_it(s3: Buckets, both: tuple[Host, Host]) -> None:
    """A form saves to the team's bucket, and the desk lists the run from there."""
    one, _ = both
    write_runbook(one.checkout, ["print('done')"])
    process = one.popen([sys.executable, "-c", FORM])
    out, err = process.communicate()
    assert process.returncode == 0, err
    notebook, shown, html, listed = json.loads(out.splitlines()[-1])
    (name,) = saved(s3, one.place)
    assert notebook == shown == str(one.place / name)
    assert f"saved: <code>{notebook}</code>" in html
    assert listed == [name]
    assert not (one.checkout / "runs").exists()
