"""Every question about archives is a chapter of a report, or says why it is none."""

from pathlib import Path

from dva_lens.analyses.questions import ABOUT_ARCHIVES, questions_to_archives

from dva_lens.reports.page import Report, Text
from dva_lens.reports.questions import with_questions
from dva_lens.reports.render import render


def chapters(archive):
    made = with_questions(Report("Title", "Why?", (), ()), archive, questions_to_archives())
    assert "Title" in render(made)
    left = [about for one in made.sections if one.name == "unanswered" for about in one.parts]
    return [one for one in made.sections if one.name != "unanswered"], left


def test_a_whole_study_answers_every_question(archive):
    answered, left = chapters(archive)
    refused = [about for part in left for about, _ in part.entries]
    assert len(answered) + len(refused) == len(ABOUT_ARCHIVES)
    assert all(isinstance(section.parts[0], Text) for section in answered)
    assert len({section.title for section in answered}) == len(answered)


def test_one_training_leaves_no_question_with_a_defect(single):
    answered, left = chapters(single)
    refused = [words for part in left for _, words in part.entries]
    assert answered
    assert all(words.endswith((".", "statistics.")) for words in refused)


def test_every_question_has_its_place_in_the_guide():
    guide = (Path(__file__).parents[2] / "docs" / "guide_reading.md").read_text(encoding="utf-8")
    assert all(f"`{name.replace('-', '_')}`" in guide for name in ABOUT_ARCHIVES)
