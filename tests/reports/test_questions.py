"""Questions in a report: a chapter for each answer, and a sentence for each that has none."""

from pathlib import Path

import pytest

from dva_lens.reports.page import Chart, Report, Section, Text
from dva_lens.reports.questions import answer_of_parts, with_questions
from dva_lens.results.archive import Archive
from dva_lens.results.runs import Run
from dva_lens.results.schema import ArchiveError
from dva_lens.views.figure import compose


def run(model, text):
    return Run(model, f"{model}-0", model, model, 0, {"texts": (text,)}, Path())


ARCHIVE = Archive(Path("some/where"), (run("one", "prose"),), {})
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


def test_every_part_of_a_study_is_asked_by_itself():
    runs = (run("one", "prose"), run("two", "task"), run("three", "task"))
    parts = Archive(Path("some/where"), runs, {})

    def models(archive):
        if len(archive.runs) == 1:
            raise ArchiveError("There is one model.")
        return page(Text(", ".join(each.model for each in archive.runs)), Chart("held", FIGURE))

    alone = answer_of_parts(parts, models)
    assert [section.name for section in alone.sections] == ["answer"]
    made = with_questions(page(Chart("held", FIGURE)), parts, {"models": models})
    _, task, left = made.sections
    assert (task.name, task.title) == ("task-question-models", "task: Title")
    assert task.parts[1] == Text("two, three")
    assert (
        task.parts[2].name == "task-question-models-held"
    )  # of these models, it is not drawn yet
    assert left.parts[0].entries == (("Models.", "There is one model."),)


def test_a_page_holds_the_answers_of_all_parts_or_the_reason_of_the_first():
    runs = (run("one", "prose"), run("two", "task"))
    parts = Archive(Path("some/where"), runs, {})
    both = answer_of_parts(parts, lambda part: page(Text(part.runs[0].model)))
    assert [section.name for section in both.sections] == ["answer", "task-answer"]
    with pytest.raises(ArchiveError, match="measured without loss"):
        answer_of_parts(parts, refuse)


def test_a_defect_is_no_missing_answer():
    with pytest.raises(ZeroDivisionError):
        with_questions(page(), ARCHIVE, {"broken": lambda _: 1 / 0})
