from dva_lens.results.archive import open_archive
from dva_lens.results.tables import run_table, statistic_tables


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
