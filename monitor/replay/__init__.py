"""Runs recorded and imported data through the same judge and detector, by the data's own clock.

    replay.py              folds verdicts into events and timelines
    database.py            what this installation stored
    imported_row.py        one imported row
    row_files.py           reads files of rows
    formats.py             the formats of rows
    strict_cells.py        reads cells strictly
    platform_of.py         the platform of a test or domain
    ooni_api.py            OONI's lists, asked politely and kept on disk
    imported_verdicts.py   rows → platform verdicts
    two_sided_test.py      the sequential test of imported rows
    results.py             results as JSON
    result_lines.py        results as text
    weekly_hours.py        recurring hours in results
    plot.py                results as a picture

Only the command line and `monitor.report` import it.
"""
