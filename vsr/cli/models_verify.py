"""``vsr models verify``: are the shipped models the ones that were released?"""

from __future__ import annotations

from typing import Annotated

import typer

from vsr.cli.common import emit_json


def verify(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Compare the shipped weights, specs and cards with their list.  Example: `vsr models verify`

    Your own models are compared with the hash in their spec. Whether the list itself is the
    maintainers' is what its signature says: `ssh-keygen -Y verify`, see docs/supply-chain.md.
    """
    from vsr.models.registry import STORE, list_models, user_folder
    from vsr.models.registry import verify as verify_weights
    from vsr.models.sums import SIGNATURE, SUMS, check_sums

    files = check_sums(STORE)
    models = [spec.name for spec in list_models() if spec.family != "interpolation"]
    for name in models:
        verify_weights(name)
    signed = (STORE / SIGNATURE).is_file()
    if as_json:
        sums, signature = str(STORE / SUMS), str(STORE / SIGNATURE) if signed else None
        emit_json({"files": files, "models": models, "sums": sums, "signature": signature})
        return
    typer.echo(f"{files} shipped files are as {STORE / SUMS} lists them")
    own = [name for name in models if not (STORE / f"{name}.json").is_file()]
    if own:
        typer.echo(f"weights match their spec: {', '.join(own)} (in {user_folder()})")
    typer.echo(
        f"signature: {STORE / SIGNATURE}; check it with ssh-keygen -Y verify"
        if signed
        else "signature: none; the list finds damage, not somebody who changed it too"
    )
