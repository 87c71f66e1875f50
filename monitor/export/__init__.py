"""Files of what is stored: CSV, Parquet and OONI's format, with the data dictionary.

- `kinds` lists what can be exported, `columns` the columns of each, and `dictionary` writes what
  they mean.
- `cells` makes every cell safe for spreadsheets; `csv` writes values, or stored cells
  (`stored_columns`).
- `parquet`, `ooni_format` and `ooni_lines` write the other formats.

`server`, `report` and the command line import it. It imports `storage`, `analysis` and `probes`.
"""
