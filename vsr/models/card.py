"""The model card: what a reader must know of a model, made from its spec."""

from __future__ import annotations

from vsr.models.spec import FAMILIES, ModelSpec


def render_card(spec: ModelSpec, comparison: str = "") -> str:
    """The Markdown of a model's card.

    Args:
        spec: a complete spec.
        comparison: a Markdown table as ``vsr evaluate models`` prints it; left out where empty.
    """
    low, high = spec.value_range
    small, large = spec.face_width_px
    lines = [
        f"# {spec.name}",
        "",
        f"Face super-resolution x{spec.scale}, {FAMILIES[spec.family]}.",
        "",
        f"**Terms**: {spec.terms or 'none beyond the licence'}. Licence: {spec.licence}.",
        "",
        "| | |",
        "|---|---|",
        f"| parameters | {spec.parameters:,} |",
        f"| input | RGB, {low:g} (black) to {high:g} (white), from {spec.min_side} pixels a side |",
        f"| trained on LR faces | {small} to {large} pixels wide |",
        *(["| passes | two: the picture and its mirror image, averaged |"] if spec.mirror else []),
        f"| bfloat16 | {_error(spec.bfloat16_error)} |",
        f"| weights | `{spec.weights_file}`, SHA-256 `{spec.weights_sha256}` |",
        f"| {spec.architecture} | {', '.join(f'{k} {v}' for k, v in spec.generator.items())} |",
    ]
    if spec.training is not None:
        training = spec.training
        minutes = f"{training.duration_s / 60:.0f} minutes" if training.duration_s else ""
        where = ", ".join(text for text in (training.hardware, minutes) if text)
        lines += [
            "",
            "## Training",
            "",
            f"Data: {training.data}. Seed {training.seed}.{f' {where}.' if where else ''}",
            "",
            "```sh",
            training.command,
            "```",
        ]
    if spec.figures:
        lines += ["", "## Figures", "", "| measure | value |", "|---|---|"]
        lines += [f"| {name} | {value:g} |" for name, value in spec.figures.items()]
    if comparison:
        lines += ["", "## Comparison", "", comparison.strip()]
    lines += [
        "",
        "## Limits",
        "",
        "Detail is the network's guess from what it learnt, not evidence of who someone is. "
        "Faces turned far to the side, covered, or much smaller than those of the training "
        "gain less. `vsr run` keeps the plain pixels where the result left its input.",
    ]
    return "\n".join(lines) + "\n"


def _error(levels: float | None) -> str:
    if levels is None:
        return "error not measured"
    return f"99.9 % of pixels within {levels:g} grey levels of float32"
