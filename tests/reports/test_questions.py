"""Questions in a report: a chapter for each answer, and a sentence for each that has none."""

from pathlib import Path

import pytest

from dva_lens.reports.page import Chart, Report, Section, Text
from dva_lens.reports.questions import with_questions
from dva_lens.results.archive import Archive
from dva_lens.results.schema import ArchiveError
from dva_lens.views.figure import compose

ARCHIVE = Archive(Path("some/where"), (), {})
FIGURE = compose([], title="T", caption="", rows=[], layout={})


def page(*parts):
    return Report("Title", "Why?", (), (Section("answer", "Answer", parts),))


def refuse(archive):
    raise ArchiveError(f"{archive.folder} was measured without loss.")


def test_what_is_drawn_already_is_not_drawn_again():
    held, new = Chart("held", FIGURE), Chart("new", FIGURE)
    answers = {"one": lambda _: page(held, new), "two": lambda _: page(new, Text("so"))}
    made = with_questions(page(held), ARCHIVE, answers)
    one, two = made.sections[1:]
    assert [part.name for part in one.parts if isinstance(part, Chart)] == ["question-one-new"]
    assert two.parts == (Text("Why?"), Text("so"))


def test_a_question_without_answer_says_why_and_the_others_run():
    made = with_questions(page(), ARCHIVE, {"cost": refuse, "one": lambda _: page(Text("so"))})
    assert [section.name for section in made.sections[1:]] == ["question-one", "unanswered"]
    (points,) = made.sections[-1].parts
    assert points.entries == (("Cost.", "This archive was measured without loss."),)


def test_a_defect_is_no_missing_answer():
    with pytest.raises(ZeroDivisionError):
        with_questions(page(), ARCHIVE, {"broken": lambda _: 1 / 0})
