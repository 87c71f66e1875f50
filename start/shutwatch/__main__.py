"""Start of the installed program. Its own folders come first: others may have such names."""

import os
import sys
from pathlib import Path


def main() -> None:
    """The `shutwatch` command, and `python -m shutwatch`."""
    inside = Path(__file__).parent
    if (inside / "monitor").is_dir():  # else an editable installation, whose folders are found
        sys.path.insert(0, str(inside))
        others = os.environ.get("PYTHONPATH")
        # For the programs that it starts, `python -m monitor …`.
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(inside), others)))
    from monitor.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
