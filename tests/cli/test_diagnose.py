from importlib import import_module
from types import SimpleNamespace

import pytest

from dva_lens.cli import diagnose


@pytest.mark.parametrize("question", diagnose.QUESTIONS)
def test_every_question_has_a_script_that_answers_it(question):
    script = import_module(f"dva_lens.analyses.{question.replace('-', '_')}")
    assert callable(script.main)
    assert "?" in script.__doc__.splitlines()[0]


def test_words_after_the_model_are_those_of_the_script(call, monkeypatch):
    given = []
    fake = SimpleNamespace(main=lambda words: given.append(words) or 1)
    monkeypatch.setattr(diagnose, "import_module", lambda name: fake)
    result = call("diagnose", "head-importance", "a/model", "--by", "mean", "--csv")
    assert given == [["a/model", "--by", "mean", "--csv"]]
    assert result.exit_code == 1


def test_a_model_that_is_not_there_is_one_sentence(call, tmp_path):
    result = call("diagnose", "sink-atlas", tmp_path / "nothing")
    assert result.exit_code == 1
    assert str(tmp_path / "nothing") in result.stderr


def test_a_question_that_nobody_asks_is_refused(refused):
    said = refused("diagnose", "head-importanc", "gpt2")
    assert "did you mean 'head-importance'" in said
