"""Files of what is stored: CSV, XLSX, Parquet and OONI's format, with the data dictionary.

- `kinds` lists what can be exported, `columns` the columns of each, and `dictionary` writes what
  they mean.
- `cells` makes every cell safe for spreadsheets; `csv` writes values, or stored cells
  (`stored_columns`).
- `for_people` makes the columns of a person's spreadsheet; `xlsx` writes them as a workbook.
- `parquet`, `ooni_format` and `ooni_lines` write the other formats.
- `data_package` describes a set of files to programs; `folder` writes one.
- `output_file` is where a command writes: a file that is replaced when whole, or a stream.

`cli`, `collector`, `replay`, `report` and `server` import it. It imports `storage`, `analysis` and
`probes`.
"""
