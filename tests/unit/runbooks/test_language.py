"""Which notebooks the engine accepts as Python."""

from __future__ import annotations

from typing import Any

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.runbooks.language import refuse_other_language


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        None,
        {"kernelspec": {"name": "python3"}},
        {"kernelspec": {"name": "anything", "language": "python"}},
        {"kernelspec": {"name": "conda-env-x-py"}},
        {"language_info": {"name": "Python"}, "kernelspec": {"name": "my-venv"}},
        {"language_info": {"name": "ipython3"}},
        {"language_info": {"name": ""}, "kernelspec": {"name": "python3", "language": "python"}},
        {"language_info": "odd", "kernelspec": ["odd"]},
    ],
)
def test_a_notebook_of_pythons_is_taken(metadata: Any) -> None:
    """A Python notebook is accepted, even if only its kernel's name says so or nothing does."""
    refuse_other_language(metadata)


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "bash", "language": "bash"}},
        {"kernelspec": {"name": "python3", "language": "python"}, "language_info": {"name": "bash"}},
        {"kernelspec": {"name": "python3", "language": "R"}},
        {"language_info": {"name": "javascript"}},
        {"kernelspec": {"name": "sos", "language": "sos"}},
        {"kernelspec": {"name": "ir"}},
        {"kernelspec": {"name": "julia-1.9"}},
    ],
)
def test_a_notebook_of_another_language_is_refused(metadata: Any) -> None:
    """A notebook of another language is refused, even if its cells would be valid Python."""
    with pytest.raises(InputError, match="the notebook is refused"):
        refuse_other_language(metadata)
