"""Runs recorded and imported data through the same judge and detector, by the data's own clock.

    replay.py              folds verdicts into events and timelines
    database.py            what this installation stored
    imported_row.py        one imported row
    row_files.py           reads files of rows
    formats.py             the formats of rows
    intervals.py           how long counted intervals are
    strict_cells.py        reads cells strictly
    platform_of.py         the platform of a test or domain
    ooni_api.py            OONI's lists, asked politely and kept on disk
    imported_verdicts.py   rows → platform verdicts
    sample_groups.py       rows → samples
    stream_models.py       what is assumed about each kind of rows
    other_owners.py        what fails otherwise, in the same place
    sample_weight.py       how much one sample tells
    two_sided_test.py      the sequential test of samples
    results.py             results as JSON
    result_lines.py        results as text
    weekly_hours.py        recurring hours in results
    plot.py                results as a picture

`cli`, `following` and `report` import it.
"""
