"""Part C on AWS: wrong clocks, calls that are throttled or refused, many runs at once."""

# ruff: noqa: PT017 -- a row judges errors of several kinds, not one that it expects

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock
from unittest import mock

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.retries.standard import ExponentialBackoff

from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.errors import AuthorizationError, EcrWidgetsError, RegistryUnavailable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.steps.shared.registry_session import RegistrySession
from tests.fakes import FakeEcr, World
from tests.faults.plan import Attempt, leaving_sockets, row
from tests.unit.adapters.scripted import Request, Scripted, answering, http

LIFE = timedelta(hours=12)


class SkewedAws(FakeEcr):
    """Tokens that live by AWS's clock, on a machine whose clock goes wrong."""

    def __init__(self, world: World, *, skew: timedelta, expires_at: datetime | None) -> None:
        super().__init__(world)
        self.issued: dict[str, datetime] = {}
        self._here, self._skew, self._expires_at = world, skew, expires_at

    def authorization_token(self) -> AuthorizationToken:
        password = f"password-{len(self.issued) + 1}"
        self.issued[password] = self._here.now
        told = self._expires_at or self._here.now + LIFE
        return AuthorizationToken("registry", "AWS", password, self._here.now + self._skew, told)

    def judge(self, token: AuthorizationToken) -> str:
        """What the registry says to a call with the token."""
        if self._here.now >= self.issued[token.password] + LIFE:
            raise AuthorizationError("your authorization token has expired")
        return token.password


class SkewedClock:
    """Implements `ports.Clock`."""

    def __init__(self, world: World, skew: timedelta) -> None:
        self._world, self._skew = world, skew

    def now(self) -> datetime:
        return self._world.now + self._skew

    def monotonic_s(self) -> float:
        return self._world.now.timestamp()

    def sleep(self, duration_s: float) -> None:
        self._world.now += timedelta(seconds=duration_s)


def _skewed(at: Attempt, *, trusts_clock: bool) -> None:
    world = World()
    skew = timedelta(minutes=-15 if at.seed % 3 == 0 else at.rng.randrange(-15, 13 * 60 + 1))
    # What the control-plane stand-in that most people use says of every token.
    expires_at = datetime(2015, 1, 1, tzinfo=UTC) if at.seed % 3 == 1 else None
    if trusts_clock:
        # A clock that runs behind lets a token look good for longer than it is.
        skew, expires_at = timedelta(hours=-13), None
    aws = SkewedAws(world, skew=timedelta() if trusts_clock else skew, expires_at=expires_at)
    clock = SkewedClock(world, skew)
    session = RegistrySession(aws, clock)
    held = session.token()
    calls = 0
    for _ in range(60):
        world.now += timedelta(minutes=at.rng.randrange(1, 60))
        try:
            if trusts_clock:
                held = held if clock.now() < held.expires_at else aws.authorization_token()
                aws.judge(held)
            else:
                session.use(aws.judge)
        except AuthorizationError as error:
            raise AssertionError(f"skew {skew}: {error}") from error
        calls += 1
    asked, hours = len(aws.issued), (world.now - World().now) / timedelta(hours=1)
    # Half of the shortest life that is believed between two of them, and one at the start.
    assert asked <= hours / 3 + 2, f"{asked} tokens in {hours:.0f} h, {calls} calls, skew {skew}"


@row(
    36,
    "a clock that is 15 minutes behind to 13 hours ahead; tokens that say that they expired in 2015",
    tries=20,
    quick=9,
    control=lambda at: _skewed(at, trusts_clock=True),
)
def skewed(at: Attempt) -> None:
    """Every call succeeds, by the registry's word, and no token is asked for before each call."""
    _skewed(at, trusts_clock=False)


REFUSALS = {
    "ThrottlingException": 400,
    "TooManyRequestsException": 429,
    "AccessDeniedException": 400,
    "ExpiredTokenException": 403,
    "UnrecognizedClientException": 400,
}
PASSING = ("ThrottlingException", "TooManyRequestsException")
TOKEN = base64.b64encode(b"AWS:a-password-of-some-length").decode()
GOOD = {
    "authorizationData": [
        {"authorizationToken": TOKEN, "expiresAt": 2e9, "proxyEndpoint": "http://127.0.0.1:5000"}
    ]
}


def _told(code: str, status: int, message: str = "told so") -> bytes:
    more = {"x-amzn-ErrorType": code, "Retry-After": "0"}
    return http(status, json.dumps({"__type": code, "message": message}).encode(), more=more)


def _granted() -> bytes:
    return http(200, json.dumps(GOOD).encode(), label="application/x-amz-json-1.1")


def _session(**more: str) -> boto3.Session:
    return boto3.Session("AKIAEXAMPLE", "not-a-real-secret-key", region_name="us-east-1", **more)


@contextmanager
def _aws(server: Scripted) -> Iterator[None]:
    # Pauses between tries are botocore's own; that there are tries and how many is what counts here.
    with (
        mock.patch.dict("os.environ", {"AWS_ENDPOINT_URL": server.url}),
        mock.patch.object(ExponentialBackoff, "delay_amount", return_value=0.0),
    ):
        yield


@leaving_sockets()
def _refused(at: Attempt, code: str, *, naive: bool = False) -> None:
    times = at.rng.randrange(1, 6)
    answers = [_told(code, REFUSALS[code])] * times + [_granted()]
    with answering(*answers) as server, _aws(server):
        if naive:
            client = _session().client("ecr", config=Config(retries={"total_max_attempts": 1}))
            try:
                client.get_authorization_token()
            except (ClientError, BotoCoreError) as error:
                raise AssertionError(f"{code} once was the end of it") from error
            return
        failed: EcrWidgetsError | None = None
        try:
            BotoEcr(_session()).authorization_token()
        except EcrWidgetsError as error:
            failed = error
        asked = len(server.asked)
    if code in PASSING:
        assert asked == min(times + 1, 4), f"{code}: asked {asked} times"
        assert (failed is None) == (times < 4), failed
        assert failed is None or isinstance(failed, RegistryUnavailable), type(failed)
    else:
        assert asked == 1, f"{code}: asked {asked} times"
        assert isinstance(failed, AuthorizationError), type(failed)
        assert "ecr:GetAuthorizationToken" in f"{failed} {failed.hint}"


@row(
    37,
    "AWS throttles, refuses or knows the key no more",
    tries=200,
    quick=6,
    control=lambda at: _refused(at, at.rng.choice(PASSING), naive=True),
)
def refused(at: Attempt) -> None:
    """Throttling is tried four times at most, a refusal once; the error names the IAM action."""
    code = [*sorted(REFUSALS), ""][at.seed % 6]
    if code:
        _refused(at, code)
    else:
        _no_login(at)


@leaving_sockets()
def _no_login(at: Attempt) -> None:
    """A profile of single sign-on whose cached login is an empty JSON file."""
    (at.folder / "config").write_text(
        "[profile sso]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n"
        "sso_account_id = 111122223333\nsso_role_name = operator\nregion = us-east-1\n"
    )
    cache = at.folder / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    import hashlib

    name = hashlib.sha1(b"https://example.awsapps.com/start").hexdigest()
    (cache / f"{name}.json").write_text(at.rng.choice(("", "{}", "null")))
    variables = {
        "AWS_CONFIG_FILE": str(at.folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(at.folder / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(at.folder),
    }
    absent = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
    with answering(_granted()) as server, _aws(server), mock.patch.dict("os.environ", variables):
        import os

        for each in absent:
            os.environ.pop(each, None)
        with mock.patch("botocore.tokens.SSO_TOKEN_DIR", str(cache), create=True):
            try:
                BotoEcr(profile="sso").authorization_token()
            except AuthorizationError as error:
                assert "ecr:GetAuthorizationToken" in f"{error} {error.hint}"
                assert not server.asked
            else:
                raise AssertionError("a token without a login")


class Meter:
    """Grants a number of calls in each second, as AWS does, and counts them by run."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._granted: deque[float] = deque()
        self._lock = Lock()
        self.granted = 0

    def __call__(self, _: Request) -> bytes:
        with self._lock:
            now_s = time.monotonic()
            while self._granted and now_s - self._granted[0] > 1:
                self._granted.popleft()
            if len(self._granted) >= self._per_s:
                return _told("ThrottlingException", 400)
            self._granted.append(now_s)
            self.granted += 1
            return _granted()


@leaving_sockets()
def _storm(at: Attempt, *, keeps: bool) -> None:
    runs, uses = 10, 6
    meter = Meter(per_s=runs * 2)
    clock = SkewedClock(World(), timedelta(microseconds=at.seed % 7))

    def one(_: int) -> None:
        ecr = BotoEcr(_session())
        session = RegistrySession(ecr, clock)
        for _ in range(uses):
            if keeps:
                session.token()
            else:
                ecr.authorization_token()

    with answering(meter) as server, _aws(server), ThreadPoolExecutor(runs) as pool:
        try:
            list(pool.map(one, range(runs)))
        except RegistryUnavailable as error:
            raise AssertionError(str(error)) from error
    assert meter.granted <= runs, f"{meter.granted} tokens for {runs} runs"


@row(
    38,
    "10 runs ask for tokens at once: one each; the plan wants one for the host, but no token is ever on disk",
    tries=5,
    quick=1,
    control=lambda at: _storm(at, keeps=False),
)
def storm(at: Attempt) -> None:
    """A run asks once, whatever it does with it."""
    _storm(at, keeps=True)
