import pytest
from small_text import small_corpus

from dva_lens.study.definition import Study


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    """A folder with a small text, a file per document."""
    folder = tmp_path_factory.mktemp("text")
    for document in small_corpus(documents=20, words=120).documents:
        (folder / f"{document.name}.txt").write_text(document.text)
    return folder


@pytest.fixture
def values(text):
    """The smallest study there is, as plain values."""
    return {
        "name": "tiny",
        "presets": ["transformer", "dva"],
        "seeds": [0],
        "size": {"layers": 2, "width": 16, "heads": 2, "vocabulary": 270, "context": 32},
        "recipe": {
            "steps": 6,
            "batch": 2,
            "warmup": 1,
            "measurements": 2,
            "eval_every": 3,
            "learning_rate": 1e-3,
        },
        "sequences": 3,
        "text": str(text),
    }


@pytest.fixture
def study(values):
    return Study.from_dict(values)


@pytest.fixture
def moments():
    """Keeps what a study tells while it runs."""

    class Kept(list):
        def __call__(self, moment):
            self.append(moment)

        @property
        def phases(self):
            return {
                run: list(dict.fromkeys(m.phase for m in self if m.run == run))
                for run in dict.fromkeys(m.run for m in self if m.run)
            }

    return Kept()
