"""A command that runs no model, for tests of the explorer.

Called with a folder and the words of a command, it leaves what that folder holds; called with a
single word and two paths, it does what the word says. Told to stand by, it waits for the words.
"""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

given = sys.argv[1:]
if given[-1] == "standby":
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    given = [*given[:-1], *json.loads(line)]
what, *words = given
for done in (1, 3):
    sys.stderr.write(f"measuring: {done} of 4 windows, 2 s left\n")
sys.stderr.flush()
if Path(what).is_dir():
    (out,) = (word.removeprefix("--out=") for word in words if word.startswith("--out="))
    if words[0] == "measure":
        shutil.copytree(Path(what) / "archive", out)
    else:
        left = {"pair": "pair.json", "pattern": "tiles.json"}.get(words[0], "effects.json")
        shutil.copy(Path(what) / left, out)
elif what == "measure":
    Path(words[1]).write_text(f"measured: {Path(words[0]).read_text()}")
elif what == "refuse":
    sys.stderr.write(
        "/srv/models/tiny holds no weights: /srv/models/tiny/model.safetensors is missing in "
        "/srv/models/tiny.\n"
    )
    sys.exit(1)
elif what == "trace":
    sys.stderr.write('Traceback (most recent call last):\n  File "/srv/x.py"\nValueError: x\n')
    sys.exit(1)
elif what == "silent":
    sys.exit(3)
elif what == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
elif what == "hang":
    time.sleep(60)
