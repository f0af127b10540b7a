"""A pytest plugin for `make mutants`: a fault once found need not be made small.

Random tests still try as many examples; only shrinking, which costs minutes a mutant, is left out.
"""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "swift",
    phases=[Phase.explicit, Phase.generate],
    database=None,
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
