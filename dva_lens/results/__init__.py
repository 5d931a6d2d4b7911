"""Where results live, and the one way to read them.

    archive = open_archive(folder)             archive.py: runs, texts, training logs, display data
    archive.on(text)                           reader.py: `Measurements` of one text
    collect(data)                              collect.py: the same of datasets in memory
    measurements.values(name, ...)             over (model, seed, sequence, layer, head)
    measurements.reference(name, ...)          what uniform attention reads, averaged alike
    estimate(values, along)                    estimates.py: mean with interval, for every model
    by_query(data, name, sequence)             display.py: single queries of a displayed sequence
    compare(measurements, baseline)            compare.py: every model against one, with a verdict

`schema` says what an archive is made of and `writer` writes it; both are readable with xarray
alone.
"""
