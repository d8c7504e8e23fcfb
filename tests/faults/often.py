"""The daemon with a checkpoint every few commits: `python -m tests.faults.often PAGES serve …`."""

import sys

from escalatord.__main__ import main
from escalatord.store import pragmas

if __name__ == "__main__":
    pragmas.WAL_CHECKPOINT_PAGES = int(sys.argv[1])
    sys.argv = ["escalatord", *sys.argv[2:]]
    sys.exit(main())
