"""Converts OONI's raw measurements, so that the same rules judge them.

    ooni_files.py            reads files, plain or gzip
    ooni_format.py           OONI's format: tolerant structs and their decoding
    convert.py               one OONI measurement → measurements, controls, vantage health
    web.py                   the test web_connectivity
    apps.py                  the tests of applications
    connections_in_test.py   groups the entries of one target
    entries.py               one tested endpoint in OONI's entries
    observations.py          OONI's entries → observations
    failures.py              OONI's failure strings → `probes.failure_strings`

It imports `monitor.analysis` and `probes`. `cli`, `following`, `judging`, `replay` and `sources`
import it.
"""
