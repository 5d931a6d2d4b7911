"""The page of the architecture shows the layers and the imports that there are."""

from pathlib import Path

from dva_lens.analyses.pages import architecture

ROOT = Path(__file__).parents[3]


def test_the_page_and_its_picture_are_up_to_date():
    for name, text in architecture.written().items():
        assert (ROOT / "docs" / name).read_text() == text, "Run `make pages`."


def test_every_line_of_the_picture_points_down():
    rows = architecture.layers()
    depth = {part.name: at for at, row in enumerate(rows) for part in row}
    pairs = architecture.imports(ROOT, list(depth))
    beside = set(architecture.BESIDE)
    assert all(depth[a] < depth[b] for a, b in pairs if b not in beside)
    assert ("views", "results") in pairs


def test_every_part_says_what_it_is():
    assert all(part.meaning.endswith(".") for row in architecture.layers() for part in row)


def test_a_new_import_makes_the_picture_another(tmp_path):
    (tmp_path / "dva_lens" / "lower").mkdir(parents=True)
    (tmp_path / "dva_lens" / "lower" / "__init__.py").write_text('"""Below."""\n')
    (tmp_path / "dva_lens" / "upper.py").write_text("def f():\n    from dva_lens.lower import x\n")
    assert architecture.imports(tmp_path, ["upper", "lower"]) == {("upper", "lower")}
