"""How a command ends: with an error on one line, and with the contract's exit code."""

from __future__ import annotations

import atexit
import errno
import gc
import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from ecr_widgets.cli.standard_streams import drop_unwritable, open_standard_streams
from ecr_widgets.cli.wrapping import wrapped
from ecr_widgets.errors import (
    BuildRefused,
    DeploymentFailed,
    EcrWidgetsError,
    EngineLost,
    EngineUnavailable,
    InputError,
    OutcomeUnknown,
    RecordError,
    RollbackFailed,
    SettingsError,
    TargetBusy,
)
from ecr_widgets.model.bucket_path import is_bucket
from ecr_widgets.model.nearest import did_you_mean
from ecr_widgets.model.text import visible
from ecr_widgets.system_errors import gone_below_us, limit_reached

SUCCEEDED, FAILED, REFUSED, INTERRUPTED, UNKNOWN, BUSY, ROLLBACK_FAILED = range(7)
"""Exit codes; keep in step with contract section 2."""
_PRINTING = ("echo", "print_json")
"""Functions that write to stdout and stderr."""
TRACEBACK_VARIABLE = "ECR_WIDGETS_TRACEBACK"
"""If it is set, a fault of our own also shows which places in the source led to it."""
_AS_JSON, _OF_RUN = "ecr_widgets.as_json", "ecr_widgets.of_run"
"""Keys in a click context: whether stdout must get one JSON document in any case, and whether that describes a run."""


def exit_code_of(error: EcrWidgetsError) -> int:
    """Return the contract's exit code for an error."""
    if isinstance(error, EngineLost):
        return FAILED
    if isinstance(error, (InputError, SettingsError, EngineUnavailable, BuildRefused)):
        return REFUSED
    if isinstance(error, OutcomeUnknown):
        return UNKNOWN
    if isinstance(error, TargetBusy):
        return BUSY
    if isinstance(error, RollbackFailed):
        return ROLLBACK_FAILED
    return FAILED


class OurErrors(click.Group):
    """A group whose commands end with one line on stderr when they fail, and with one document if `--json` is given."""

    def main(self, *words: Any, **given: Any) -> Any:
        """Run as a program."""
        if sys.flags.inspect and os.environ.pop("PYTHONINSPECT", ""):
            # With it Python shows a traceback at the end, loses the exit code and asks for more.
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606 -- no shell is wanted
        open_standard_streams()
        # Otherwise Python ends by looking for garbage among all objects, twice: up to a fifth of a command's time.
        atexit.register(gc.freeze)
        try:
            return super().main(*words, **given)
        except OSError as error:
            # The help is printed before anything is invoked.
            with suppress(OSError):
                click.echo(f"ecr-widgets: {_unforeseen(error)}", err=True)
            sys.exit(FAILED)
        finally:
            drop_unwritable()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note `--json` before parsing, so that a wrong argument is also reported as a document."""
        words = args[: args.index("--")] if "--" in args else args
        ctx.meta[_AS_JSON] = "--json" in words
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the nearest ones."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            hint = did_you_mean(name, self.list_commands(ctx), "see --help")
            raise click.UsageError(f"No such command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command's whole first sentence, wrapped, instead of cutting it short as click would."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, each.get_short_help_str(limit=200)) for name, each in commands if each]
            )

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and report its errors."""
        try:
            return super().invoke(ctx)
        except EcrWidgetsError as error:
            _fail(ctx, limit_reached(error) or error, code=exit_code_of(error))
        except click.UsageError as error:
            error.show()
            _end(ctx, InputError(error.format_message(), hint="see --help"), error.exit_code)
        except KeyboardInterrupt:
            click.echo("ecr-widgets: interrupted", err=True)
            _end(ctx, EcrWidgetsError("interrupted"), INTERRUPTED)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # click exits silently when the reader of a pipe is gone
            _fail(ctx, _unforeseen(error))


def note_run(ctx: click.Context, *, runbook: str | None, run_id: str | None) -> None:
    """Report a failure of this command as a run that never began."""
    ctx.meta[_OF_RUN] = {"runbook": runbook, "run_id": run_id}


def _unforeseen(error: Exception) -> EcrWidgetsError:
    """One of our errors for one that no other layer has translated: a traceback would hide what happened."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, OSError) and any(frame.name in _PRINTING for frame in frames):
        return EcrWidgetsError(
            f"the result cannot be printed: {error.strerror}",
            hint="free some space, or send the output elsewhere",
        )
    if isinstance(error, OSError) and is_bucket(error.strerror or ""):
        # A bucket that does not answer, or refuses.
        return RecordError(str(error.strerror), hint="see `ecr-widgets doctor`")
    if (known := gone_below_us(error) or limit_reached(error)) is not None:
        return known
    from ecr_widgets.secrets.redaction import SecretRegistry

    secrets = SecretRegistry(os.environ)
    place = frames[-1]
    text = secrets.redact(f"{type(error).__name__}: {error}")
    hint = "this is a fault of ecr-widgets; report it with this line"
    if os.environ.get(TRACEBACK_VARIABLE):
        with suppress(OSError):
            for line in _way_to(error):
                click.echo(line, err=True)
        hint += " and those above"
    else:
        hint += f", and with those that {TRACEBACK_VARIABLE}=1 adds to it"
    return EcrWidgetsError(
        f"unexpected error: {visible(text)} ({Path(place.filename).name}:{place.lineno})", hint=hint
    )


def _way_to(error: BaseException) -> Iterator[str]:
    """The places in the source that led to an error and to those behind it, oldest first.

    Neither messages nor values: they may hold a secret that nobody has registered here.
    """
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if behind is not None:
        yield from _way_to(behind)
    yield f"{type(error).__name__} at"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {'/'.join(Path(frame.filename).parts[-3:])}:{frame.lineno} in {frame.name}"


def _fail(ctx: click.Context, error: EcrWidgetsError, *, code: int | None = None) -> None:
    # If stderr cannot be written, the exit code still says what happened.
    with suppress(OSError):
        click.echo(wrapped(f"ecr-widgets: {error}", sys.stderr), err=True)
    _end(ctx, error, exit_code_of(error) if code is None else code)


def _end(ctx: click.Context, error: EcrWidgetsError, code: int) -> None:
    if ctx.meta[_AS_JSON]:
        run = ctx.meta.get(_OF_RUN)
        with suppress(OSError):
            print_json({"error": _as_json(error, code)} if run is None else _no_run(error, code, **run))
    ctx.exit(code)


def _as_json(error: EcrWidgetsError, code: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": code,
    }
    if isinstance(error, DeploymentFailed):
        document["reasons"] = list(error.reasons)
    return document


def _no_run(error: EcrWidgetsError, code: int, *, runbook: str | None, run_id: str | None) -> dict[str, Any]:
    """A run's document for a run that never began: what it does not have is null."""
    return {
        "run_id": run_id,
        "runbook": runbook,
        "state": {REFUSED: "refused", BUSY: "busy", INTERRUPTED: "interrupted"}.get(code, "failed"),
        "reason": str(error),
        "notebook": None,
        "started_at": None,
        "ended_at": None,
        "duration_s": None,
        "steps": [],
    }


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
    sys.stdout.flush()
