"""Options of ``vsr batch`` that say where and how the work is done."""

from __future__ import annotations

from typing import Annotated

import typer

_WORK = "Work"

Engine = Annotated[
    str,
    typer.Option(help="local: this machine; ray: also a cluster.", rich_help_panel=_WORK),
]
Workers = Annotated[
    int | None, typer.Option(help="Worker processes; as fit by default.", rich_help_panel=_WORK)
]
Retries = Annotated[int, typer.Option(help="Retries after a worker crash.", rich_help_panel=_WORK)]
Overwrite = Annotated[
    bool, typer.Option(help="Redo what has other settings or source.", rich_help_panel=_WORK)
]
Split = Annotated[
    bool,
    typer.Option(
        "--split/--whole",
        help="Sequences of more than encode.part_frames frames: in parts, or in one piece.",
        rich_help_panel=_WORK,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Ray: HOST:6379, or local; by default the cluster that this machine belongs to.",
        rich_help_panel=_WORK,
    ),
]
Cpus = Annotated[
    float | None, typer.Option(help="Ray: processors per worker (2).", rich_help_panel=_WORK)
]
Gpus = Annotated[
    float | None,
    typer.Option(help="Ray: GPUs per worker (0); 0.5: two share one.", rich_help_panel=_WORK),
]
