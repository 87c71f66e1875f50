"""One TOML file → frozen settings; every mistake is found in one reading, with its line.

`load` reads the file, `tables` lists its keys, `values` has the shapes of their values; `notify`,
`agent`, `collector`, `egress` and `environ` read what needs more. `settings` has the results.
`catalog`, `catalog_nodes`, `fingerprints` and `annotations_csv` read the other files that operators
write. `toml_source`, `toml_lines`, `toml_node` and `toml_problem` read TOML with line numbers.
`advice` lists weaknesses of a valid file, `reload` changes settings at run time.

Programs and the rooms that measure, judge, record and show import `config`; it imports notify,
wording, logs, keys, storage, analysis and probes.
"""
