"""What a panel lets people do, as values: sent to the front end as JSON, and used to check what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ecr_widgets.errors import EcrWidgetsError, InputError

Values = Mapping[str, Any]
"""What was typed and chosen, by name of the field: stripped texts, booleans, whole numbers."""
_LONGEST_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to type or to choose. No field is for secrets."""

    name: str
    label: str
    value: str | bool | int = ""
    """The initial value. A bool makes it a checkbox, an int a number."""
    hint: str = ""
    options: tuple[str, ...] = ()
    """The only values of a choice; suggestions for a text."""
    labels: tuple[str, ...] = ()
    """What is shown for each option; empty to show the options themselves."""
    kind: Literal["text", "lines", "choice", "list"] = "text"
    """A list is a choice whose options are all visible."""
    required: bool = False
    most: int = 10_000
    when: tuple[str, str] | None = None
    """Shown and used only while that field has that value."""

    def to_json(self) -> dict[str, Any]:
        """As the front end draws it."""
        shown = {"name": self.name, "label": self.label, "value": self.value, "hint": self.hint}
        return shown | {
            "kind": self._drawn_as,
            "options": self.options,
            "labels": self.labels,
            "required": self.required,
            "least": 0,
            "most": self.most,
            "when": self.when or (),
        }

    @property
    def _drawn_as(self) -> str:
        if isinstance(self.value, bool):
            return "tick"
        return "number" if isinstance(self.value, int) else self.kind

    def read(self, typed: object) -> str | bool | int:
        """The value that came back for it.

        Raises:
            InputError: Not of the field's kind, or not one of the choices.
        """
        if isinstance(self.value, bool):
            if isinstance(typed, bool):
                return typed
        elif isinstance(self.value, int):
            if isinstance(typed, int) and not isinstance(typed, bool) and 0 <= typed <= self.most:
                return typed
            raise InputError(f"{self.label} is not a whole number from 0 to {self.most}", hint="type another")
        elif isinstance(typed, str) and len(typed) <= _LONGEST_TEXT:
            text = typed.strip()
            if self.kind not in ("choice", "list") or text in self.options:
                return text
            raise InputError(f"{self.label} is not one of the choices", hint="choose one of them")
        raise InputError(f"{self.label} cannot be read", hint="type it again")


REASON = "reason"
REASON_FIELD = Field(REASON, "Reason", hint="ticket or sentence; kept in the run")


def _nothing_is_wrong(_: Values) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do with the panel or with one row."""

    name: str
    label: str
    """Label of the button that does it, or opens its fields."""
    hint: str
    do: Callable[[Values], object]
    """Starts it, and never waits for its end."""
    fields: tuple[Field, ...] = ()
    go: str = ""
    """Label of the button below its fields."""
    why_not: Callable[[Values], str] = _nothing_is_wrong
    """Returns why the values cannot be used, or an empty text; may raise our errors. Called while they are typed."""
    danger: bool = False
    asks_why: bool = False
    """Whether a reason can be given, which its run keeps."""

    def to_json(self) -> dict[str, Any]:
        """As the front end draws it."""
        return {
            "name": self.name,
            "label": self.label,
            "hint": self.hint,
            "go": self.go or self.label,
            "danger": self.danger,
            "fields": [each.to_json() for each in self._asked],
        }

    @property
    def _asked(self) -> tuple[Field, ...]:
        """All of its fields; the last one is the reason, if asked for."""
        return (*self.fields, REASON_FIELD) if self.asks_why else self.fields

    @property
    def field_names(self) -> frozenset[str]:
        return frozenset(each.name for each in self._asked)

    def asks_for(self, typed: object) -> bool:
        """Whether what came back has exactly these fields."""
        return isinstance(typed, Mapping) and set(typed) == self.field_names

    def read(self, typed: object) -> Values:
        """The values that came back, checked against the fields; those of fields that were not shown are left empty.

        Raises:
            InputError: They do not match the fields.
        """
        if not isinstance(typed, Mapping) or not self.asks_for(typed):
            raise InputError(f"the fields of {self.label!r} came back changed", hint="run the cell again")
        values = {each.name: each.read(typed[each.name]) for each in self._asked}
        for each in self._asked:
            if each.when is not None and values[each.when[0]] != each.when[1]:
                values[each.name] = ""
            elif each.required and values[each.name] == "":
                raise InputError(f"{each.label} is empty", hint="type it")
        return values

    def problem(self, values: Values) -> str:
        """Why these values cannot be used; empty if they can."""
        try:
            return self.why_not(values)
        except EcrWidgetsError as error:
            return str(error)
