"""Outlap's ROS 2 nodes, packaged as ``outlap_nodes``: thin programs around the library, one node a file."""

import signal
import sys
from pathlib import Path

# Ctrl-C while a node program still imports its libraries ends it without a traceback; ``program.run`` takes over later.
# Where SIGINT is ignored, as of a background job, it stays so.
if Path(sys.argv[0]).name.startswith("outlap_") and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
