"""What is compiled or looked up once is forgotten before the tests: they are to see it made."""

from __future__ import annotations

import pytest

from accord.rules import expression, program, rule, text, values


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    remembered = (
        expression._environment,
        program._compiled,
        rule._silent,
        text.keys_of,
        values.shapes,
    )
    for each in remembered:
        each.cache_clear()
