import numpy as np
import pytest

from dva_lens.data.tasks import START, TASKS, BigramBackcopy, RepeatedBlock, task_tokenizer


@pytest.fixture(params=TASKS.values(), ids=TASKS)
def task(request):
    return request.param(length=48, batch=8)


def test_a_step_gives_the_same_sequences_and_another_gives_others(task):
    np.testing.assert_array_equal(task(3), task(3))
    assert (task(3) != task(4)).any()
    assert (task.sample(8).tokens != task(0)).any()
    assert task(0).shape == (8, 49)
    assert (task(0)[:, 0] == START).all()
    assert (task(0)[:, 1:] != START).all()
    assert task(0).max() < task.vocabulary


def test_what_is_predictable_costs_nothing_and_the_rest_costs_something(task):
    sample = task.sample(16)
    np.testing.assert_array_equal(sample.optimal == 0, sample.predictable)
    assert sample.optimal_loss == pytest.approx(sample.optimal.mean())


def test_a_text_shows_what_the_model_sees(task):
    sample = task.sample(5)
    text = sample.evaluation_text("known")
    np.testing.assert_array_equal(text.tokens, sample.tokens[:, :-1])
    assert text.tokens.shape == sample.predictable.shape
    assert len(set(text.documents)) == 5
    assert text.start


def test_a_trigger_brings_back_the_token_before_it():
    task = BigramBackcopy(vocabulary=16, triggers=2, length=200)
    tokens, predictable = task.sample(40).tokens, task.sample(40).predictable
    rows, places = np.nonzero(np.isin(tokens[:, :-1], [1, 2]))
    np.testing.assert_array_equal(tokens[rows, places + 1], tokens[rows, places - 1])
    np.testing.assert_array_equal(predictable.nonzero(), (rows, places))
    draws = tokens[:, 1:][~predictable]
    assert np.isin(draws, [1, 2]).mean() == pytest.approx(0.15, abs=0.015)


def test_successors_follow_the_transition_matrix():
    task = BigramBackcopy(vocabulary=6, triggers=1, length=200, concentration=1.0)
    sample = task.sample(400)
    now, then = (
        sample.tokens[:, :-1][~sample.predictable],
        sample.tokens[:, 1:][~sample.predictable],
    )
    counts = np.zeros((6, 6))
    np.add.at(counts, (now, then), 1)
    seen = counts.sum(1, keepdims=True)
    expected = task.transitions
    bound = 5 * np.sqrt(expected * (1 - expected) / np.maximum(seen, 1)) + 1e-12
    assert (np.abs(counts / np.maximum(seen, 1) - expected) <= bound).all()
    np.testing.assert_allclose(task.transitions.sum(1), [1, 0, 1, 1, 1, 1])


def test_the_predictor_that_knows_the_chain_reaches_the_optimal_loss():
    task = BigramBackcopy(vocabulary=12, triggers=2, length=256)
    sample = task.sample(400)
    chance = task.transitions[sample.tokens[:, :-1], sample.tokens[:, 1:]]
    losses = -np.log(np.where(sample.predictable, 1.0, chance))
    error = 5 * losses.std() / np.sqrt(losses.size)
    assert losses.mean() == pytest.approx(sample.optimal_loss, abs=error)
    ignorant = -np.log(np.where(sample.predictable, 1 / 10, chance))
    assert ignorant.mean() > sample.optimal_loss + 0.1


def test_a_repeated_block_repeats():
    sample = RepeatedBlock(vocabulary=50, period=7, length=20).sample(9)
    np.testing.assert_array_equal(sample.tokens[:, 8:], sample.tokens[:, 1:-7])
    assert sample.optimal_loss == pytest.approx(7 / 20 * np.log(49))
    constant = RepeatedBlock(period=1, length=5).sample(3).tokens
    assert (constant[:, 1:] == constant[:, 1:2]).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BigramBackcopy(vocabulary=5, triggers=3), "triggers=3, vocabulary=5"),
        (lambda: BigramBackcopy(trigger_share=1.0), "between 0 and 1, got 1.0"),
        (lambda: RepeatedBlock(period=8, length=8), "period=8, length=8"),
    ],
)
def test_a_task_that_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", TASKS)
def test_trainings_of_another_order_see_other_sequences_of_the_same_task(name):
    task = TASKS[name](length=40)
    np.testing.assert_array_equal(task(2), task(2, order=0))
    np.testing.assert_array_equal(task(2, order=5), task(2, order=5))
    assert (task(2) != task(2, order=5)).any()
    if name == "bigram-backcopy":
        chances = task.transitions[task(2, order=5)[:, :-1], task(2, order=5)[:, 1:]]
        triggered = (task(2, order=5)[:, :-1] >= 1) & (task(2, order=5)[:, :-1] <= task.triggers)
        assert (chances[~triggered] > 0).all()


@pytest.mark.parametrize("name", TASKS)
def test_every_token_of_a_task_has_a_name_of_its_own(name):
    task = TASKS[name]()
    tokenizer = task_tokenizer(task)
    names = [tokenizer.decode([token]) for token in range(task.vocabulary)]
    assert len(set(names)) == tokenizer.get_vocab_size() == task.vocabulary
    assert names[0] == "<start>"
