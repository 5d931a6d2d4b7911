"""The page about GPUs says what was written down, and what does not hold with it."""

import json
from pathlib import Path

from dva_lens.analyses.pages import gpu

DOCS = Path(__file__).parents[3] / "docs"
HELD = json.loads((DOCS / "gpu_checks.json").read_text())


def test_the_page_is_up_to_date():
    assert (DOCS / "gpu.md").read_text() == gpu.page(HELD), (
        "Run `python -m dva_lens.analyses.pages.gpu > docs/gpu.md`."
    )


def test_what_does_not_hold_is_said():
    slow = {**HELD["checks"]["speed/attention/131072"], "per_query_ratio": 1.51}
    wrong = {**HELD["checks"]["gradients/causal"], "holds": False, "worst": {"key": 3.0}}
    checks = {**HELD["checks"], "speed/attention/131072": slow, "gradients/causal": wrong}
    before, after = gpu.page(HELD), gpu.page({**HELD, "checks": checks})
    assert "| broken: numbers per query |" not in before
    assert "| broken: numbers per query |" in after
    made = sum(name.startswith("gradients/") for name in checks)
    assert f"| gradients of pairwise values | {made} | {made - 1} | 3.000 |" in after


def test_every_check_that_is_kept_is_told_of():
    kinds = {name.partition("/")[0] for name in HELD["checks"]}
    assert kinds == {*gpu.RIGHT, "speed", "training"}
