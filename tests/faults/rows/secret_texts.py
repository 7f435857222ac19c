"""Part A: secrets that cells print, raise, return and pass."""

from __future__ import annotations

import json
import os
import random
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from ecr_widgets.secrets.kernel_output import guard_kernel_output
from ecr_widgets.secrets.redaction import SecretRegistry
from tests.faults import canaries, forked
from tests.faults.books import BIN, Ran, ours, stock, write_book
from tests.faults.plan import Attempt, row
from tests.faults.rows.crashes import kill_marked, until

# A cell reads them where no source shows them.
READ = "import json; secrets = json.load(open('../canaries.json'))\n"


def given(at: Attempt, count: int = 3) -> tuple[Path, list[str], dict[str, str]]:
    """Canaries in a file and in the environment's standard variables, and a folder for the run."""
    secrets = [canaries.make(at.rng, lines=1 + (number == 4)) for number in range(count)]
    (at.folder / "canaries.json").write_text(json.dumps([{"raw": s, **canaries.forms(s)} for s in secrets]))
    folder = at.folder / "run"
    folder.mkdir()
    return folder, secrets, dict(zip(canaries.VARIABLES, secrets, strict=False))


def none_readable(folder: Path, ran: Ran, secrets: list[str]) -> None:
    """No form of any secret in any file of the run or in what the run printed."""
    texts = [*canaries.texts_below(folder), ran.stdout, ran.stderr, ran.merged]
    for secret in secrets:
        found = canaries.hits(secret, texts)
        assert not found, f"readable as {', '.join(found)}"


def _every_form(at: Attempt, run: Callable[..., Ran]) -> None:
    folder, secrets, environ = given(at, 5)
    # Two of the five reach the engine over the channel alone, as registry passwords do.
    share = READ + (
        "from ecr_widgets.channel import open_channel\nimport os\n"
        "line = open_channel(os.environ)\n"
        "for each in secrets[3:]: line and line.share_secret(each['raw'])\n"
    )
    # Whatever anybody keeps of a run at home or for a while is below the folder that is searched.
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    ran = run(
        folder,
        share,
        "for each in secrets:\n    for form in each.values(): print('>', form, '<')",
        environ={**environ, "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")},
        words=["--log-level", "DEBUG"],
    )
    words = [BIN / "ecr-widgets", "audit", "report", "--runs", folder, "--out", folder / "report.html"]
    forked.run(words, cwd=folder, capture_output=True, check=True)
    none_readable(folder, ran, secrets)


@row(
    1,
    "every canary in every form, printed by a cell: in the run, its log, its report, home and temporary files",
    tries=15,
    quick=1,
    control=lambda at: _every_form(at, stock),
)
def printed(at: Attempt) -> None:
    """Forms of five secrets, three of the environment and two that the kernel shared."""
    _every_form(at, ours)


def _split(at: Attempt, run: Callable[..., Ran]) -> None:
    folder, secrets, environ = given(at, 1)
    cut = READ + (
        "import sys\n"
        "for cut in range(1, len(secrets[0]['raw'])):\n"
        "    sys.stdout.write(secrets[0]['raw'][:cut]); sys.stdout.flush()\n"
        "    sys.stdout.write(secrets[0]['raw'][cut:] + '\\n'); sys.stdout.flush()\n"
    )
    ran = run(folder, cut, environ=environ)
    none_readable(folder, ran, secrets)
    halves = [
        f"print(secrets[0]['raw'][{half}], end='{end}', flush=True)"
        for at_ in range(1, len(secrets[0]))
        for half, end in ((f":{at_}", ""), (f"{at_}:", "\\n"))
    ]
    ran = run(folder, READ, *halves, environ=environ)
    assert ran.exit_code == 0, ran.stderr[-300:]
    found = canaries.hits(secrets[0], [*canaries.texts_below(folder), ran.merged])
    # Each half is judged by itself, and a short one is an ordinary text: up to 19 characters of it stay beside the mask.
    assert not {*found} - {"first 20", "last 20"}, f"readable as {', '.join(found)}"


@row(
    2,
    "a secret split over stream messages, and over two cells, at every offset",
    tries=10,
    quick=1,
    control=lambda at: _split(at, stock),
)
def split(at: Attempt) -> None:
    """Every cut of one secret; of one in two cells at least one end is masked, so that it can never be read whole."""
    _split(at, ours)


RAISING = (
    "raise ValueError(s)",
    "raise ValueError('own message', {'password': s})",
    "try:\n    raise KeyError(s)\nexcept KeyError as e:\n    raise RuntimeError('own message') from e",
    "%xmode Verbose\ndef f(password): raise ValueError('own message')\nf(s)",
    "import subprocess; subprocess.run(['false', '--token', s], check=True)",
    "assert s == 'own message'",
    "int(s)",
    "getattr(object(), s)",
    "{}[s]",
    "open('/nowhere/' + s)",
    "exec('1/0 # ' + repr(s))",
    "import logging; logging.getLogger('x').error('token %s', s); raise SystemError('own message ' + s)",
)


def _raised(at: Attempt, run: Callable[..., Ran]) -> None:
    folder, secrets, environ = given(at, 1)
    first = at.seed % len(RAISING)
    sources = (*RAISING[first:], *RAISING[:first])
    last = len(sources)
    ran = run(folder, READ + "s = secrets[0]['raw']", *sources, environ=environ, may_raise=range(1, last))
    none_readable(folder, ran, secrets)
    assert ran.exit_code != 0
    for source, cell in zip(sources, ran.cells[1:], strict=True):
        errors = [o for o in cell["outputs"] if o["output_type"] == "error"]
        assert errors, source
        assert "own message" not in source or "own message" in str(errors)


@row(
    3,
    "a secret in exceptions, causes, arguments and logs",
    tries=240,
    quick=1,
    control=lambda at: _raised(at, stock),
)
def raised(at: Attempt) -> None:
    """Twelve ways to raise with one in each try; the exception's type and its own message survive."""
    _raised(at, ours)


NAMES = (
    "token",
    "layer0_token",
    "password",
    "aws_secret_access_key",
    "api_key",
    "client_secret",
    "note",
    "tag",
    "x",
    "comment",
)


def _passed(at: Attempt, run: Callable[..., Ran]) -> None:
    folder, secrets, environ = given(at, 1)
    name = NAMES[at.seed % len(NAMES)]
    ran = run(folder, "print('hello')", environ=environ, words=["-p", name, secrets[0]])
    none_readable(folder, ran, secrets)
    assert ran.exit_code != 0
    assert not ran.path.exists()
    assert "AWS_PROFILE" in ran.stderr


@row(5, "a secret passed as a papermill parameter", tries=100, quick=2, control=lambda at: _passed(at, stock))
def passed(at: Attempt) -> None:
    """Refused before the first write, with the right way named."""
    _passed(at, ours)


def _ordinary(at: Attempt, known: SecretRegistry) -> None:
    letters = string.ascii_letters + string.digits
    for _ in range(2000):
        text = ordinary_text(at.rng, letters)
        assert known.redact(text) == text, text[:200]


def ordinary_text(rng: random.Random, letters: str) -> str:
    """A text of digests, tags, names and words, as notebooks hold them."""
    digest = "sha256:" + "".join(rng.choice("0123456789abcdef") for _ in range(64))
    word = "".join(rng.choice(letters) for _ in range(rng.randint(1, 40)))
    return f'{{"image": "127.0.0.1:5000/{word.lower()}@{digest}", "tag": "{rng.randint(0, 99)}.{rng.randint(0, 99)}", "s": "{word}"}}'


def _over_redacting(at: Attempt) -> None:
    known = SecretRegistry()
    known._forms["a"] = frozenset(("a",))  # what a registry that takes short secrets would do
    _ordinary(at, known)


@row(12, "ordinary texts beside 20 secrets; 2,000 a try", tries=5, quick=1, control=_over_redacting)
def untouched(at: Attempt) -> None:
    """Not a character of an ordinary text is changed, and a short secret is refused when it is registered."""
    known = SecretRegistry()
    for _ in range(20):
        known.register(canaries.make(at.rng))
    _ordinary(at, known)
    for length in range(1, 8):
        try:
            known.register("x" * length)
        except ValueError:
            continue
        raise AssertionError(f"a secret of {length} characters was taken")


def _cost(at: Attempt, redact: Callable[[str], str], *lines: int) -> None:
    line = ordinary_text(at.rng, string.ascii_letters) + "\n"
    sizes = []
    for count in lines:
        text = line * count
        started_s = time.process_time()
        redact(text)
        sizes.append((time.process_time() - started_s) / count)
    # Per line the larger text may cost a little more, never in proportion to its size.
    assert sizes[1] < 2.5 * sizes[0], sizes


def _quadratic(at: Attempt) -> None:
    def redact(text: str) -> str:
        for start in range(0, len(text), 10_000):
            text[start:].count("x")
        return text

    _cost(at, redact, 5_000, 20_000)


def _streamed_mb(at: Attempt) -> int:
    return 100 if at.full else 24


def _printing(at: Attempt) -> str:
    return f"for _ in range({_streamed_mb(at)}): print(('y' * 999 + '\\n') * 1000, end='', flush=True)"


# The kernel counts for a program what the one that started it held, too: so a small one starts it.
MEASURING = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), used.ru_maxrss)
"""


def _streamed(at: Attempt, *words: str, printing: str) -> None:
    """A run whose cell prints so much with 200 secrets known: what it needs beside one that prints nothing."""
    share = READ + (
        "from ecr_widgets.channel import open_channel\nimport os\n"
        "line = open_channel(os.environ)\nfor each in secrets: line and line.share_secret(each)"
    )
    (at.folder / "canaries.json").write_text(json.dumps([canaries.make(at.rng) for _ in range(200)]))
    peaks = []
    for cell in ("pass", printing):
        folder = Path(tempfile.mkdtemp(dir=at.folder))
        book = write_book(folder, [share, cell])
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                MEASURING,
                BIN / "papermill",
                book,
                "out.ipynb",
                "--no-progress-bar",
                *words,
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        ended, peak_kb = map(int, done.stdout.split())
        assert ended == 0
        peaks.append(peak_kb * 1024)
    assert peaks[1] - peaks[0] < 3_000_000 * _streamed_mb(at), (
        f"{peaks[1] / 1e6:.0f} MB against {peaks[0] / 1e6:.0f} MB"
    )


def _guarded(at: Attempt, count: int) -> float:
    """CPU seconds for a stream of messages that passes a kernel's guard with so many secrets."""
    known = SecretRegistry()
    for _ in range(count):
        known.register(canaries.make(at.rng))
    kernel = SimpleNamespace(session=SimpleNamespace(send=lambda *_: None))
    guard_kernel_output(kernel, known)
    line = ordinary_text(at.rng, string.ascii_letters) + "\n"
    kernel.session.send(None, "stream", {"name": "stdout", "text": line})
    started_s = time.process_time()
    for _ in range(10_000 if at.full else 2_000):
        kernel.session.send(None, "stream", {"name": "stdout", "text": line})
    return time.process_time() - started_s


def _costly(at: Attempt) -> None:
    try:
        _quadratic(at)
    except AssertionError:
        if not at.full:
            raise
        # In one piece: by a line at a time, stock papermill drops what it cannot keep up with.
        _streamed(at, printing=f"print(('y' * 999 + '\\n') * {1000 * _streamed_mb(at)})")


@row(
    13,
    "200 secrets and texts of 2 and 9 MB, 10,000 messages, and a cell that prints 100 MB",
    tries=10,
    quick=1,
    control=_costly,
)
def linear(at: Attempt) -> None:
    """CPU time grows with the text and little with the secrets; memory stays below three times the output's."""
    known = SecretRegistry()
    for _ in range(200):
        known.register(canaries.make(at.rng))
    known.redact("warm")
    _cost(at, known.redact, *((20_000, 80_000) if at.full else (10_000, 40_000)))
    few, many = _guarded(at, 5), _guarded(at, 200)
    assert many < 4 * few, (few, many)
    _streamed(at, "--engine", "ecr_widgets", printing=_printing(at))


def _late(at: Attempt, run: Callable[..., Ran]) -> None:
    folder, secrets, _ = given(at, 1)
    share = (
        "from ecr_widgets.channel import open_channel\nimport os\n"
        "line = open_channel(os.environ)\nline and line.share_secret(secrets[0]['raw'])"
    )
    ran = run(folder, READ + "print(secrets[0]['raw'])", share)
    none_readable(folder, ran, secrets)


@row(
    14,
    "a secret that is registered after it was printed",
    tries=50,
    quick=2,
    control=lambda at: _late(at, stock),
)
def late(at: Attempt) -> None:
    """The saved run does not hold the earlier output's either."""
    _late(at, ours)


def _user_config(at: Attempt, *, login: bool) -> None:
    """A run that pushes, or a login; the user's own Docker configuration before and after."""
    config = at.folder / "docker-config"
    config.mkdir()
    stale = {"auths": {"127.0.0.1:1": {"auth": "QVdTOnN0YWxl"}}, "detachKeys": f"ctrl-{at.seed}"}
    (config / "config.json").write_text(json.dumps(stale))
    before = canaries.texts_below(config)
    environ = at.sandbox().environ(
        {**os.environ, "DOCKER_CONFIG": str(config), "AWS_EC2_METADATA_DISABLED": "true"}
    )
    name = f"faults/config{at.seed}"
    words = ["login"] if login else ["run", "release", "--runs", str(at.folder / "runs")]
    if not login:
        for pair in (("repository", name), ("deploy", f"config{at.seed}"), ("service", f"config{at.seed}")):
            words += ["-p", *pair]
    done = forked.run(
        [BIN / "ecr-widgets", *words], env=environ, cwd=at.folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert canaries.texts_below(config) == before, "the user's configuration was changed"


LOGIN = """
import os, time
from pathlib import Path
stored = {"auths": {"127.0.0.1:1": {"auth": "QVdTOmZyZXNo"}}}
Path(os.environ["DOCKER_CONFIG"], "config.json").write_text(str(stored))
Path("stored").touch()
time.sleep(300)
"""


def _login_killed(at: Attempt) -> None:
    """A cell stores a login as Docker does, and the run is killed at any time from then on."""
    config, private = at.folder / "users", at.folder / "t"
    for folder in (config, private):
        folder.mkdir()
    (config / "config.json").write_text('{"auths": {}}')
    process = subprocess.Popen(
        [BIN / "papermill", "--engine", "ecr_widgets", write_book(at.folder, [LOGIN]), "out.ipynb"],
        env={
            **os.environ,
            "DOCKER_CONFIG": str(config),
            "TMPDIR": str(private),
            "FAULTS_MARK": str(at.folder),
        },
        cwd=at.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until((at.folder / "stored").exists, "the cell never stored its login")
        time.sleep(at.rng.random() / 2)
        process.kill()
        until(lambda: not any(private.iterdir()), "the run's own configuration was left", within_s=10)
    finally:
        kill_marked(at.folder)
        process.wait()
    assert canaries.texts_below(config) == ['{"auths": {}}'], "the user's configuration was changed"


@row(
    9,
    "the user's own Docker configuration after a release, and the run's own after a cell's login and SIGKILL",
    tries=200,
    quick=1,
    control=lambda at: _user_config(at, login=True),
)
def config_untouched(at: Attempt) -> None:
    """The user's is byte for byte as it was; passwords go to the engine call by call, and a run's own is gone with it."""
    _login_killed(at)
    _user_config(at, login=False)
