import shutil

import pytest
from fakes import fake_measurement

from dva_lens.store.archive import open_archive
from dva_lens.store.writer import write_run


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
    assert "it has: transformer, dva" in refused(*base, "gpt2")
    assert "close matches: entropy" in refused(*base, "dva", "--statistic", "entrpy")
    assert "holds no 'loss' of its layers" in refused(*base, "dva", "--statistic", "loss")
    assert "not measured on 'news'" in refused(*base, "dva", "--probe", "news")


def test_models_measured_on_other_texts_are_not_compared(refused, study_folder, tmp_path):
    folder = shutil.copytree(study_folder, tmp_path / "copy")
    other = fake_measurement("new", sequences=4)
    attrs = dict(open_archive(folder).run("dva-0").attrs) | {"label": "new-0", "preset": "new"}
    write_run(folder, "new", attrs=attrs, measurements={"held-out": other})
    assert "measured on other texts" in refused("compare", folder, "--baseline", "dva")
