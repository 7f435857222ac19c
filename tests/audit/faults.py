"""The audit's rows of the fault plan: attacks on saved runs, each tried on the stock way too.

The plan takes them from here: `make faults` tries them in full, the tests at a tenth.
A control is the same attack judged by what people have without the seals: a notebook that nbformat reads and that says it
succeeded. Where no control fails the checker is blind and the row is void.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ecr_widgets.audit.chain import chain_file, links_of
from ecr_widgets.audit.chain_head import Heads, heads_of
from ecr_widgets.audit.findings import Finding, Verification
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.scan import scan
from ecr_widgets.audit.sealing import seal_run
from ecr_widgets.audit.verify import verify
from tests.audit.runs import generate, seals_in

NOW = datetime(2026, 11, 1, tzinfo=UTC)
RUNS = 5


@dataclass(frozen=True)
class Store:
    """A folder of sealed runs and the ring that sealed them."""

    folder: Path
    ring: KeyRing

    def names(self) -> list[str]:
        return sorted(name for name, _ in scan(self.folder))

    def verify(self, head: Heads | None = None) -> Verification:
        return verify(self.folder, self.names(), ring=self.ring, head=head)

    def head(self) -> Heads:
        return heads_of(self.folder)

    def lines(self) -> list[bytes]:
        return seals_in(chain_file(self.folder).read_bytes())

    def write_lines(self, lines: list[bytes]) -> None:
        chain_file(self.folder).write_bytes(b"".join(lines))

    def snapshot(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def restore(self, snapshot: dict[str, bytes]) -> None:
        for path in self.folder.iterdir():
            if path.name not in snapshot:
                path.unlink()
        for name, content in snapshot.items():
            (self.folder / name).write_bytes(content)


@contextmanager
def sealed_store(count: int = RUNS, *, seed: int = 1, size_bytes: int = 20_000) -> Iterator[Store]:
    """Some sealed runs, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="audit-faults-") as made:
        store = Store(Path(made) / "runs", KeyRing(Path(made) / "keys"))
        generate(store.folder, count, seed=seed, size_bytes=size_bytes)
        for number, name in enumerate(store.names()):
            seal_run(store.folder, name, ring=store.ring, now=NOW + timedelta(minutes=number))
        assert store.verify().ok
        yield store


def stock_says_fine(path: Path) -> bool:
    """What people have today: nbformat reads it, and it calls itself ended."""
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = nbformat.read(path, 4)
        return bool(notebook.metadata.ecr_widgets.state)
    except Exception:  # noqa: BLE001 -- anything it raises is a finding
        return False


def row_64_bit_flips(tries: int, seed: int) -> tuple[int, int, str]:
    """A random bit in a saved notebook, a seal or a signature: found, and the file named."""
    chance, missed, blind, controls = random.Random(seed), 0, 0, 0
    with sealed_store(seed=seed) as store:
        names = store.names()
        for number in range(tries):
            name = names[number % len(names)] if number % 3 == 0 else chain_file(store.folder).name
            path = store.folder / name
            content = path.read_bytes()
            at = chance.randrange(len(content))
            if number % 3 == 2:  # within a signature
                at = content.find(b'"sig":"', chance.randrange(len(content))) % len(content) + 7
                at = min(at + chance.randrange(88), len(content) - 1)
            flipped = bytearray(content)
            flipped[at] ^= 1 << chance.randrange(8)
            path.write_bytes(flipped)
            found = store.verify()
            named = any(f.path == name and f.finding is not Finding.INTACT for f in found.files)
            missed += not (named if number % 3 == 0 else bool(found.chain) and not found.ok)
            if number % 3 == 0 and controls < 100:
                controls += 1
                blind += stock_says_fine(path)
            path.write_bytes(content)
    return (
        missed,
        blind,
        f"a third each: notebook, seal, signature; control: nbformat is content with {blind} of {controls}",
    )


def row_65_deletions(tries: int, seed: int) -> tuple[int, int, str]:
    """A middle run, the last run or the whole tail with its seals: the tail only against an exported head."""
    chance, missed, blind = random.Random(seed), 0, 0
    with sealed_store(8, seed=seed) as store:
        snapshot, head, names = (
            store.snapshot(),
            store.head(),
            [link.seal.path for link in links_of(store.folder) if link.seal],
        )
        for number in range(tries):
            kind = number % 3
            lines = store.lines()
            keep = len(lines) - 1 if kind == 1 else chance.randrange(1, len(lines) - 1)
            if kind == 0:  # one in the middle
                (store.folder / names[keep]).unlink()
                store.write_lines(lines[:keep] + lines[keep + 1 :])
                missed += store.verify().ok
            else:
                for name in names[keep:]:
                    (store.folder / name).unlink()
                store.write_lines(lines[:keep])
                # The documents say so: without a head nobody can tell.
                missed += not store.verify().ok
                missed += store.verify(head).ok
            blind += all(stock_says_fine(store.folder / name) for name in store.names()[:1])
            store.restore(snapshot)
    return missed, blind, "a cut tail is found against an exported head only, as the documents say"


def row_66_order(tries: int, seed: int) -> tuple[int, int, str]:
    """Reordered, doubled, copied from another project, renamed."""
    chance, missed, blind = random.Random(seed), 0, 0
    with sealed_store(seed=seed) as store, sealed_store(seed=seed + 1) as other:
        for line_file in store.ring.folder.glob("*"):
            if not (other.ring.folder / line_file.name).exists():
                shutil.copy(line_file, other.ring.folder / line_file.name)
        for key_file in other.ring.folder.glob("*.json"):
            shutil.copy(key_file, store.ring.folder / key_file.name)
        snapshot, names = store.snapshot(), store.names()
        for number in range(tries):
            lines = store.lines()
            a, b = chance.sample(range(len(lines)), 2)
            kind = number % 4
            if kind == 0:
                lines[a], lines[b] = lines[b], lines[a]
                store.write_lines(lines)
            elif kind == 1:
                store.write_lines([*lines[:a], lines[b], *lines[a:]])
            elif kind == 2:
                foreign = chance.choice(other.names())
                shutil.copy(other.folder / foreign, store.folder / foreign)
                store.write_lines([*lines, other.lines()[b]])
            else:
                (store.folder / names[a]).rename(store.folder / f"x{names[a]}")
            missed += store.verify().ok
            blind += all(stock_says_fine(store.folder / name) for name in store.names()[:1])
            store.restore(snapshot)
    return missed, blind, "order, number, chain and path are bound"


def row_67_forged_chain(tries: int, seed: int) -> tuple[int, int, str]:
    """A run replaced and all hashes made anew: without the key the signature tells, with it an exported head."""
    chance, missed, blind = random.Random(seed), 0, 0
    for number in range(tries):
        with sealed_store(3, seed=seed + number, size_bytes=1) as store:
            head = store.head()
            with_key = number % 2 == 1
            victim = store.folder / chance.choice(store.names())
            victim.write_text(victim.read_text().replace('"actor": "root"', '"actor": "eve"'))
            blind += stock_says_fine(victim)
            names = [link.seal.path for link in links_of(store.folder) if link.seal]
            chain_file(store.folder).unlink()
            forger = store.ring if with_key else KeyRing(store.folder.parent / "forger")
            for name in names:
                seal_run(store.folder, name, ring=forger, now=NOW)
            missed += store.verify(head).ok if with_key else store.verify().ok
    return missed, blind, "half without the key, half with it against an exported head"


def row_68_edits(tries: int, seed: int) -> tuple[int, int, str]:
    """An output swapped with its record kept, only metadata, only widget state: changed, and the place named."""
    chance, missed, blind = random.Random(seed), 0, 0
    with sealed_store(seed=seed) as store:
        snapshot, names = store.snapshot(), store.names()
        for number in range(tries):
            path = store.folder / chance.choice(names)
            notebook = json.loads(path.read_bytes())
            kind = number % 3
            if kind == 0:
                shown = [o for c in notebook["cells"] for o in c.get("outputs", ()) if "data" in o]
                chance.choice(shown)["data"]["text/plain"] = f"✓ all fine {number}"
                expected = ": outputs changed"
            elif kind == 1:
                member = chance.choice(("state", "actor", "started_at", "runbook"))
                notebook["metadata"]["ecr_widgets"][member] = f"other {number}"
                expected = "metadata ecr_widgets was changed"
            else:
                notebook["metadata"]["widgets"] = {
                    "application/vnd.jupyter.widget-state+json": {"state": {"x": number}}
                }
                expected = "metadata widgets was added"
            path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1))
            found = [f for f in store.verify().files if f.finding is Finding.CHANGED]
            missed += [f.path for f in found] != [path.name] or not any(
                expected in what for what in found[0].what
            )
            blind += stock_says_fine(path)
            store.restore(snapshot)
    return missed, blind, "one file named, with the part that changed"


def row_69_rollback(tries: int, seed: int) -> tuple[int, int, str]:
    """The whole store set back to yesterday's copy: found against the head, and silent without one."""
    missed = blind = 0
    for number in range(tries):
        with sealed_store(2, seed=seed + number, size_bytes=1) as store:
            yesterday = store.snapshot()
            generate(store.folder, 2, seed=seed, size_bytes=1, first=500)
            for name in store.names():
                seal_run(store.folder, name, ring=store.ring, now=NOW + timedelta(days=1))
            head = store.head()
            store.restore(yesterday)
            blind += store.verify().ok
            missed += store.verify(head).ok
    return missed, blind, "control: without a head the same check is content"


def row_70_false_alarms(tries: int, seed: int) -> tuple[int, int, str]:
    """Untouched, saved again by nbformat, pretty-printed, line ends by git: no alarm, and saved again is told.

    As many tries again leave all runs untouched.
    """
    import nbformat

    chance, wrong, blind = random.Random(seed), 0, 0
    with sealed_store(10, seed=seed) as store:
        snapshot, names = store.snapshot(), store.names()
        for _ in range(tries):
            untouched = store.verify()
            wrong += not untouched.ok or {f.finding for f in untouched.files} != {Finding.INTACT}
        for number in range(tries):
            path = store.folder / chance.choice(names)
            kind = 1 + number % 4
            expected = {Finding.INTACT, Finding.RESAVED}
            if kind == 1:
                nbformat.write(nbformat.read(path, 4), path)
            elif kind == 2:
                path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
            elif kind == 3:
                path.write_text(json.dumps(json.loads(path.read_bytes()), indent=4, sort_keys=True))
            elif kind == 4:
                path.write_text(json.dumps(json.loads(path.read_bytes())))
            found = store.verify()
            wrong += not found.ok or {f.finding for f in found.files} != expected
            blind += path.read_bytes() != snapshot[path.name]
            store.restore(snapshot)
    return wrong, blind, "control: a plain file hash calls each file that was saved again changed"


def row_71_keys(tries: int, seed: int) -> tuple[int, int, str]:
    """Public half missing, private half readable by others, rotated, expired, leaked and retired: never silent."""
    missed = blind = 0
    for number in range(tries):
        with sealed_store(2, seed=seed + number, size_bytes=1) as store:
            (key,) = store.ring.known()
            kind = number % 5
            blind += all(stock_says_fine(store.folder / name) for name in store.names())
            if kind == 0:
                (store.ring.folder / f"{key}.json").unlink()
                found = store.verify()
                missed += found.ok or not any("not known here" in why for why in found.chain)
            elif kind == 1:
                (store.ring.folder / f"{key}.pem").chmod(0o644)
                found = store.verify()
                missed += found.ok or "mode 0644" not in found.keys[0].status
            elif kind == 2:
                new = store.ring.rotate(now=NOW + timedelta(days=1))
                generate(store.folder, 1, seed=seed, size_bytes=1, first=500)
                seal_run(store.folder, store.names()[-1], ring=store.ring, now=NOW + timedelta(days=2))
                found = store.verify()
                told = {use.key: (use.first, use.last, use.status.split()[0]) for use in found.keys}
                missed += not found.ok or told != {key: (1, 2, "retired"), new.key: (3, 3, "in")}
            elif kind == 3:
                store.ring.rotate(now=NOW - timedelta(days=1))
                found = store.verify()
                missed += found.ok or not any("after the end of key" in why for why in found.chain)
            else:
                victim = store.names()[0]
                shutil.copytree(store.ring.folder, store.folder.parent / "leaked")
                store.ring.rotate(now=NOW + timedelta(days=1))
                generate(store.folder, 1, seed=seed, size_bytes=1, first=500)
                seal_run(store.folder, store.names()[-1], ring=store.ring, now=NOW + timedelta(days=2))
                path = store.folder / victim
                path.write_text(path.read_text().replace('"actor": "root"', '"actor": "eve"'))
                # The forger dates the seal to when the key still was in use.
                seal_run(store.folder, victim, ring=KeyRing(store.folder.parent / "leaked"), now=NOW)
                found = store.verify()
                missed += found.ok or not any("was retired before" in why for why in found.chain)
    return missed, blind, "a fifth each: unknown key, mode 0644, rotated, dated after its end, leaked"


ROWS: dict[str, tuple[Callable[[int, int], tuple[int, int, str]], int]] = {
    "64": (row_64_bit_flips, 15_000),
    "65": (row_65_deletions, 600),
    "66": (row_66_order, 800),
    "67": (row_67_forged_chain, 100),
    "68": (row_68_edits, 600),
    "69": (row_69_rollback, 20),
    "70": (row_70_false_alarms, 1_000),
    "71": (row_71_keys, 20),
}
"""By row: what runs it, and the plan's tries."""
