"""What `pip install` puts beside other projects: one name, with all of the program inside.

The program's own folders are called `monitor`, `probes`, `storage` and `dashboards`, as others may
call theirs.
"""
