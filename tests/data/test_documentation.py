import sys

import pytest

from dva_lens.data import documentation
from dva_lens.data.corpus import default_corpus, open_corpus

SOURCES = {
    "json/__init__.py": '"""About json.\n\n    Indented."""\n\nraise SystemExit("imported")\n',
    "json/tool.py": (
        'class Reader:\n    """Read."""\n\n    def next(self, n: int = 1, *, back=False):\n'
        '        """Go on."""\n        def inner():\n            """Not shown."""\n'
    ),
    "json/tests/test_x.py": '"""A test."""\n',
    "os.py": "# comments are no documentation\n",
    "re.py": '"""Broken."""\ndef (:\n',
    "this.py": b'"""Latin \xe9."""\n',
    "abc.py": b"# -*- coding: latin-1 -*-\n'''Caf\xe9 \\d.'''\n",
    "pydoc_data/topics.py": "topics = {'while': 'The while statement\\n'}\n",
    "stranger.py": '"""Not of the standard library."""\n',
}


@pytest.fixture
def library(tmp_path):
    for name, source in SOURCES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(source if isinstance(source, bytes) else source.encode())
    return tmp_path


def test_modules_are_parsed_and_never_imported(library):
    found = {d.name: d.text for d in documentation._documentation(library).documents}
    assert found == {
        "abc": "Café \\d.",
        "json": "About json.\n\nIndented.",
        "json.tool": "Reader\nRead.\n\nReader.next(self, n: int=1, *, back=False)\nGo on.",
        "help.while": "The while statement",
    }


def test_a_python_without_sources_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"no readable sources in .*name a text of your own"):
        documentation._documentation(tmp_path)


def test_this_python_has_enough_to_train_on():
    imported = set(sys.modules)
    corpus = default_corpus()
    assert "antigravity" not in set(sys.modules) - imported
    texts = [document.text for document in corpus.documents]
    assert sum(map(len, texts)) > 2_000_000
    assert sum(len(text) > 2000 for text in texts) > 200
    assert open_corpus() is corpus
