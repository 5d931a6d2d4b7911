"""The gallery shows every view, each drawn by the view itself."""

from pathlib import Path

from dva_lens.analyses.pages import gallery
from fakes import fake_archive

from dva_lens.views import VIEWS

DOCS = Path(__file__).parents[3] / "docs"


def test_every_view_has_its_section_and_its_picture():
    page = (DOCS / "gallery.md").read_text()
    for name, view in VIEWS.items():
        assert f"\n## {view.title}\n\n*{view.question}* `lens.views.{name}(data)`" in page
        assert (DOCS / gallery.FOLDER / f"{name}.svg").is_file()


def test_the_page_is_drawn_from_an_archive(tmp_path):
    archive = fake_archive(tmp_path / "study", models=("transformer", "dva"), edges=True)
    assert gallery.main([str(archive), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "gallery.md").read_text()
    assert page.count("\n## ") == len(VIEWS)
    for name in VIEWS:
        assert f"{gallery.FOLDER}/{name}.svg)" in page
        assert (tmp_path / gallery.FOLDER / f"{name}.svg").read_text().startswith("<?xml")
