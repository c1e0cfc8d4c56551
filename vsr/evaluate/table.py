"""A comparison as a table for people: cells once, then Markdown or a terminal."""

from __future__ import annotations

from vsr.evaluate.compare import BASELINE, Comparison, Row
from vsr.evaluate.validation import CONDITIONS, Condition

_TITLES = {
    "psnr": "PSNR (dB)",
    "gain": "over bicubic (dB)",
    "ssim": "SSIM",
    "haarpsi": "HaarPSI",
    "perceptual": "perceptual (of bicubic's)",
    "identity": "identity",
    "same": "same person",
}
_CAPTIONS = {
    "clean": "Clean: only reduced",
    "degraded": "Degraded: blur 0.8, noise 6/255, JPEG quality 50",
}

NOTE = (
    "Mean ± standard error. PSNR, SSIM and HaarPSI on BT.601 luma, higher is better; perceptual "
    "(VGG16-HED features) and identity (dlib 128-d) are distances, lower is better; "
    "same person: identity distance under 0.6. The srgan models are trained on these very "
    "VGG16-HED features, layers and formula, so that the perceptual distance flatters them; "
    "HaarPSI has no learnt features, and no model here is trained on it."
)


def columns(comparison: Comparison) -> list[str]:
    """The headings that a comparison fills."""
    measured = comparison.rows[0].scores
    wanted = {
        "psnr": ("psnr", "gain"),
        "ssim": ("ssim",),
        "haarpsi": ("haarpsi",),
        "perceptual": ("perceptual",),
        "identity": ("identity", "same"),
    }
    keys = [key for measure, keys in wanted.items() if measure in measured for key in keys]
    return ["model", *(_TITLES[key] for key in keys)]


def cells(comparison: Comparison, row: Row) -> list[str]:
    """A row's texts, one per heading."""
    texts = [row.model]
    scores, gains = row.scores, row.gains
    if "psnr" in scores:
        texts.append(f"{scores['psnr'].mean:.2f}")
        gain = gains["psnr"]
        texts.append("" if row.model == BASELINE else f"{gain.mean:+.2f} ± {gain.error:.2f}")
    texts += [f"{scores[m].mean:.4f}" for m in ("ssim", "haarpsi") if m in scores]
    if "perceptual" in scores:
        score = scores["perceptual"]
        share = comparison.share_of_baseline(row, "perceptual")
        of = "" if share is None else f" ({share:.0%})"
        texts.append(f"{score.mean:.4f} ± {score.error:.4f}{of}")
    if "identity" in scores:
        score = scores["identity"]
        texts.append(f"{score.mean:.3f} ± {score.error:.3f}")
        texts.append("" if row.same_person is None else f"{row.same_person:.0%}")
    return texts


def rows(comparison: Comparison, condition: Condition) -> list[Row]:
    """The rows of a condition, in the order they were compared."""
    return [row for row in comparison.rows if row.condition == condition]


def caption(comparison: Comparison, condition: Condition) -> str:
    """What a table shows, in one line."""
    low = 128 // comparison.scale
    kind = comparison.reduction
    return f"{_CAPTIONS[condition]} ({kind}, {low} to 128 pixels), {comparison.faces} faces"


def markdown(comparison: Comparison) -> str:
    """Both tables as Markdown, for model cards."""
    heads = columns(comparison)
    lines: list[str] = []
    for condition in CONDITIONS:
        lines += [f"{caption(comparison, condition)}:", "", f"| {' | '.join(heads)} |"]
        lines.append("|---" * len(heads) + "|")
        lines += [
            f"| {' | '.join(cells(comparison, row))} |" for row in rows(comparison, condition)
        ]
        lines.append("")
    return "\n".join([*lines, NOTE, ""])
