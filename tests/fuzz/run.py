"""``python tests/fuzz/run.py TARGET [libFuzzer options]``: fuzz one target with atheris, from its seeds.

An input that breaks a promise is kept under ``build/fuzz/``; run the command with its path to see it again.
"""

import sys
import tempfile
from pathlib import Path
from types import ModuleType

import atheris

ROOT = Path(__file__).parents[2]
FOUND = ROOT / "build" / "fuzz"


def main(name: str, options: list[str]) -> None:
    """Fuzz until the options say that it is enough; does not return."""
    # Some of our witnesses install a package named tests, which would come before ours.
    tests = sys.modules["tests"] = ModuleType("tests")
    tests.__path__ = [str(ROOT / "tests")]
    sys.path.insert(0, str(ROOT))
    with atheris.instrument_imports(include=["core"]):
        from tests.fuzz.targets import TARGETS, dictionary
    target = TARGETS[name]
    FOUND.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        words, corpus = Path(folder) / "words", Path(folder) / "corpus"
        quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in dictionary())
        words.write_text("".join(f'"{word}"\n' for word in quoted))
        corpus.mkdir()
        for number, seed in enumerate(target.seeds()):
            (corpus / f"seed-{number}").write_bytes(seed)
        given = [] if any(not option.startswith("-") for option in options) else [str(corpus)]
        ours = [f"-artifact_prefix={FOUND}/{name}-", f"-dict={words}", "-max_len=20000", "-timeout=10"]
        atheris.Setup([name, *ours, *options, *given], target.take)
        atheris.Fuzz()


main(sys.argv[1], sys.argv[2:])
