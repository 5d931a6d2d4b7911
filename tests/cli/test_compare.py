import shutil

import pytest
from fakes import fake_measurement

from dva_lens.results.archive import open_archive
from dva_lens.results.writer import write_run


def test_every_model_is_held_against_the_baseline(call, study_folder):
    result = call("compare", study_folder, "--baseline", "transformer", "--statistic", "entropy")
    assert result.exit_code == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if line.strip().startswith("dva"))
    assert "new text [" in line
    assert "no claim about architectures" in line


def test_the_difference_is_that_of_the_numbers(call, study_folder):
    archive = open_archive(study_folder)
    means = {
        preset: sum(
            archive.dataset(f"{preset}-{seed}")["dynamism"].isel(step=-1, layer=[1, 2]).mean()
            for seed in (0, 1)
        )
        / 2
        for preset in ("transformer", "dva")
    }
    result = call("compare", study_folder, "--baseline", "transformer", "--statistic", "dynamism")
    line = next(line for line in result.stdout.splitlines() if line.strip().startswith("dva"))
    expected = float(means["dva"] - means["transformer"])
    assert float(line.split()[1]) == pytest.approx(expected, abs=1e-4)


def test_what_cannot_be_compared_is_refused(refused, study_folder):
    base = ("compare", study_folder, "--baseline")
    assert "there are: transformer, dva" in refused(*base, "gpt2")
    assert "did you mean 'entropy'" in refused(*base, "dva", "--statistic", "entrpy")
    assert "was measured on 'news'" in refused(*base, "dva", "--text", "news")


def test_the_former_name_of_the_text_is_told(call, study_folder):
    base = ("compare", study_folder, "--baseline", "transformer")
    former, named = call(*base, "--probe", "shuffled"), call(*base, "--text", "shuffled")
    assert "`--probe` is called `--text` now." in former.stderr
    assert former.stdout == named.stdout
    assert "former name of --text" in call(*base, "--probe", "a", "--text", "b").stderr


def test_models_measured_on_other_texts_are_not_compared(refused, study_folder, tmp_path):
    folder = shutil.copytree(study_folder, tmp_path / "copy")
    other = fake_measurement("new", sequences=4)
    attrs = dict(open_archive(folder).run("dva-0").attrs) | {"label": "new-0", "preset": "new"}
    write_run(folder, "new", attrs=attrs, measurements={"held-out": other})
    assert "measured on other texts" in refused("compare", folder, "--baseline", "dva")


def test_both_summaries_over_depth_and_the_same_against_itself_are_shown(call, study_folder):
    result = call("compare", study_folder, "--baseline", "transformer", "--statistic", "entropy")
    assert "entropy, mean over the middle half of the layers" in result.stdout
    assert "entropy, change from the input to the output of the model" in result.stdout
    assert "p by Holm over 33 contrasts" in result.stdout
    assert result.stdout.count("A/A ") == 2


def test_power_says_what_would_have_been_found(call, study_folder):
    base = ("compare", study_folder, "--baseline", "transformer", "--statistic", "entropy")
    result = call(*base, "--power")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("smallest difference detectable with 80 % power: new text 0.") == 2


def test_tables_hold_every_contrast_and_every_layer(call, study_folder, tmp_path):
    base = ("compare", study_folder, "--baseline", "transformer", "--statistic", "entropy")
    result = call(*base, "--out", tmp_path / "tables")
    assert result.exit_code == 0, result.stderr
    contrasts = (tmp_path / "tables" / "contrasts.csv").read_text().splitlines()
    assert len(contrasts) == 1 + 2 * 2
    layers = (tmp_path / "tables" / "layers.csv").read_text().splitlines()
    data = open_archive(study_folder).dataset("dva-0")
    assert len(layers) == 1 + data.sizes["layer"]


def test_claims_of_a_plan_are_answered(call, refused, study_folder, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "claims:\n"
        "  - {statistic: dynamism, arm: dva, direction: higher, test: text}\n"
        "  - {statistic: dynamism, arm: dva, direction: equal, margin: 0.001, test: text}\n"
        "  - {statistic: dynamism, arm: dva, direction: higher}\n"
    )
    base = ("compare", study_folder, "--baseline", "transformer", "--plan")
    result = call(*base, plan)
    assert result.exit_code == 0, result.stderr
    answers = [line.split()[0] for line in result.stdout.splitlines()[-3:]]
    assert answers == ["supported", "refuted", "undecided"]
    assert "no claim about architectures" in result.stdout.splitlines()[-1]
    assert "`arm` of a claim is called `model` now" in result.stderr
    plan.write_text("claims: [{statistic: dynamism, model: dva, direction: more}]")
    assert "direction must be one of" in refused(*base, plan)
    plan.write_text("claims: [")
    assert "YAML" in refused(*base, plan)


def test_claims_may_name_a_baseline_a_text_and_a_moment_of_their_own(call, study_folder, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "claims:\n"
        "  - {statistic: first_key_mass, model: dva, direction: higher, test: text}\n"
        "  - {statistic: first_key_mass, model: dva, direction: higher, test: text,\n"
        "     baseline: zero, text: shuffled, at: start}\n"
        "  - {statistic: first_key_mass, model: transformer, direction: higher, test: text,\n"
        "     baseline: dva}\n"
    )
    result = call("compare", study_folder, "--baseline", "transformer", "--plan", plan)
    assert result.exit_code == 0, result.stderr
    first, second, third = result.stdout.splitlines()[-3:]
    assert "first_key_mass of dva is higher (" in first
    assert second.strip().startswith("supported  first_key_mass of dva is higher than zero")
    assert "first_key_mass of transformer is higher than dva" in third
    assert "was not compared" not in third
