"""The program computes what the reference says, vector by vector.

``POLYMM_VECTORS`` names another file of the same schema; by default it is the one beside the repository.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from tests.vector_adapters import ADAPTERS, Vector

_ROOT = Path(__file__).resolve().parents[1]
_DEFAULT = _ROOT.parent / "shared" / "data" / "strategy-vectors.json"
_TOLERANCE = 1e-9

NOT_YET = frozenset(
    {
        "as.quotes",
        "glft.quotes",
        "hawkes.intensity",
        "logit.drift",
        "microprice.stoikov",
        "ofi",
        "vpin",
    }
)
"""Formulas of the reference that the program does not have."""


def _cases() -> list[Any]:
    """One parameter a vector: formula, inputs with defaults, expected; or one that says what is wrong with the file."""
    named = os.environ.get("POLYMM_VECTORS")
    path = Path(named) if named else _DEFAULT
    if not path.is_file():
        outcome = "missing" if named else "absent"
        return [pytest.param(outcome, {"path": str(path)}, {}, id=outcome)]
    content = json.loads(path.read_text(encoding="utf-8"))
    defaults = content.get("defaults", {})
    return [
        pytest.param(v["formula"], defaults.get(v["formula"], {}) | v["inputs"], v["expected"], id=v["id"])
        for v in content["vectors"]
    ]


@pytest.mark.parametrize(("formula", "inputs", "expected"), _cases())
def test_formula_gives_what_the_reference_says(formula: str, inputs: Vector, expected: Vector) -> None:
    if formula == "missing":
        pytest.fail(f"POLYMM_VECTORS names no file: {inputs['path']}")
    if formula == "absent":
        pytest.skip("the reference's vector file is not beside the repository; name one with POLYMM_VECTORS")
    if formula in NOT_YET:
        pytest.skip(f"{formula} is not implemented yet")
    assert formula in ADAPTERS, f"unknown formula {formula}: implement it or list it in NOT_YET"
    computed = ADAPTERS[formula](inputs)
    # Some formulas report less than the program knows; what is expected must be there.
    assert differences(expected, {name: computed.get(name, "nothing") for name in expected}) == []


def differences(expected: Any, computed: Any, where: str = "") -> list[str]:
    """Every place where two results differ beyond the tolerance, in words."""
    if isinstance(expected, dict) and isinstance(computed, dict):
        if expected.keys() != computed.keys():
            return [f"{where}: fields {sorted(computed)} instead of {sorted(expected)}"]
        return [text for name in expected for text in differences(expected[name], computed[name], f"{where}.{name}")]
    if isinstance(expected, list) and isinstance(computed, list | tuple):
        if len(expected) != len(computed):
            return [f"{where}: {len(computed)} items instead of {len(expected)}"]
        pairs = enumerate(zip(expected, computed, strict=True))
        return [text for index, (a, b) in pairs for text in differences(a, b, f"{where}[{index}]")]
    if _is_number(expected) and _is_number(computed) and not (isinstance(expected, int) and isinstance(computed, int)):
        if math.isclose(expected, computed, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE):
            return []
    elif type(expected) is type(computed) and expected == computed:
        return []
    return [f"{where}: {computed!r} instead of {expected!r}"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_comparison_sees_a_difference_and_forgives_the_tolerance() -> None:
    assert differences({"a": [1, 0.5, None, "x", True]}, {"a": [1, 0.5 + 1e-12, None, "x", True]}) == []
    assert len(differences({"a": [1, 0.5, None, "x", True]}, {"a": [2, 0.6, 0.0, "y", 1]})) == 5
    assert len(differences({"a": 1}, {"a": 1, "b": 2})) == 1


def test_no_formula_is_both_implemented_and_listed_as_missing() -> None:
    assert not NOT_YET & ADAPTERS.keys()
