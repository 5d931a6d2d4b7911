from dva_lens.results.archive import open_archive
from dva_lens.results.tables import run_table, statistic_tables, to_csv


def test_tables_hold_every_number_once(archive_folder):
    archive = open_archive(archive_folder)
    tables = dict(statistic_tables(archive))
    for name in ("entropy", "sink_rate", "loss"):
        table = tables[name]
        measured = sum(
            int(archive.dataset(run, text)[name].count())
            for run in archive.runs
            for text in archive.texts_of(run)
        )
        assert len(table) == measured
        said = ("value", "document", "length", "rows")
        keys = [column for column in table.columns if column not in said]
        assert not table.duplicated(keys).any()


def test_a_number_is_found_under_its_labels(archive_folder):
    archive = open_archive(archive_folder)
    table = dict(statistic_tables(archive))["entropy"].set_index("run").loc["dva-0"]
    chosen = table.query("text == 'held-out' and step == 160 and layer == 2 and span == 4")
    expected = archive.dataset("dva-0")["entropy"].sel(step=160, layer=2, head=0, span=4)
    assert chosen.sort_values("sequence")["value"].tolist() == expected.values.tolist()


def test_runs_say_what_they_are(archive_folder):
    table = run_table(open_archive(archive_folder))
    assert table["label"].tolist() == ["transformer-0", "dva-0"]
    assert {"parameters", "loss", "train_seconds", "config"} <= set(table.columns)


def test_formulas_are_quoted_and_numbers_are_not():
    table = to_csv(("a", "b"), [("-0.01", "=cmd()"), (None, "-x"), (-2.5, "plain")], "said")
    assert table == "# said\na,b\n-0.01,'=cmd()\n,'-x\n-2.5,plain\n"
