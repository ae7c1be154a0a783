"""What other programs and the terminal bring into a command, put right before its libraries are imported."""

import io
import os
import sys

# Libraries read these numbers while they are imported, and fail where a batch script has left one empty.
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
_TORCHRUN = "TORCHELASTIC_RUN_ID"  # is set by torchrun in each process that it starts
OF_SEVERAL = "VIREID_ONE_OF_SEVERAL"  # is set where training starts processes beside its own
_FABRIC = "LT_"  # begins the names of what `fabric run` hands to its processes; Fabric obeys it before its caller


def put_right() -> None:
    """Make this process one that stands alone, draws to files, and can print any name.

    - What a launcher of several processes has left in the environment is taken out of it: a command is one
      process, also inside a job of many. Processes that train together keep it.
    - No window is opened, so the environment's choice of a windowing system is not asked for.
    - A character that the terminal's encoding lacks, or a byte of a file's name that is no text, is printed as an
      escape.
    """
    together = OF_SEVERAL in os.environ or _TORCHRUN in os.environ
    for name in [name for name in os.environ if name in _RANKS or name.startswith(_FABRIC)]:
        if not (together and os.environ[name]):
            del os.environ[name]
    os.environ["MPLBACKEND"] = "agg"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
