"""One TOML file → frozen settings; every mistake is found in one reading, with its line.

`load` reads the file and `keys_by_table` lists its keys; `vantages`, `notify`, `sources`, `agent`
and `collector` read the tables that need more. `durations_and_sizes`, `urls_and_addresses`,
`egress`, `named_files`, `vantage_id`, `as_numbers` and `environ` read values. `settings` has the
results. `catalog`, `catalog_nodes`, `fingerprints` and `annotations_csv` read the other files that
operators write. `toml_source`, `toml_lines`, `toml_node` and `toml_problem` read TOML with line
numbers. `advice` lists weaknesses of a valid file, `reload` changes settings at run time.

Programs and the rooms that measure, judge, record and show import `config`; it imports notify,
wording, logs, keys, storage, analysis and probes.
"""
