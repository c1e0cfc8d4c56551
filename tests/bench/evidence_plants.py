"""Things that a super-resolved face must not show: each planted into a true one.

Every function takes a face, uint8 RGB (H, W, 3), and its 68 landmarks (68, 2) as dlib gives
them, and returns another picture of the same shape.
"""

from __future__ import annotations

import cv2
import numpy as np

EYES = (slice(36, 42), slice(42, 48))


def another_person(
    rgb: np.ndarray, points: np.ndarray, donor: np.ndarray, theirs: np.ndarray
) -> np.ndarray:
    """Somebody else's face in the same place, in the same light."""
    matrix, _ = cv2.estimateAffinePartial2D(theirs.astype(np.float32), points.astype(np.float32))
    size = (rgb.shape[1], rgb.shape[0])
    moved = cv2.warpAffine(
        donor, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    mask = _hull(rgb.shape, points)
    inside = mask > 0.5
    ours, new = rgb.astype(np.float32), moved.astype(np.float32)
    new = (new - new[inside].mean(0)) / (new[inside].std(0) + 1) * (ours[inside].std(0) + 1)
    return _mixed(ours, new + ours[inside].mean(0), mask)


def closed_eyes(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Lids of skin over both eyes, with their lashes below."""
    out = rgb
    for eye in EYES:
        at = points[eye]
        out = _without_eye(out, at)
        lower = at[[0, 5, 4, 3]].astype(np.int32)
        lash = out.copy()
        dark = tuple(float(v) for v in out[_inside(out, at)].mean(0) * 0.55)
        thick = max(1, round(0.08 * _width(at)))
        cv2.polylines(lash, [lower.reshape(-1, 1, 2)], False, dark, thick, cv2.LINE_AA)
        out = lash
    return out


def moved_eyes(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Both eyes a third of their width further up and aside."""
    out = rgb
    for eye in EYES:
        at = points[eye]
        out = _without_eye(out, at)
        shift = np.array([0.33, -0.2]) * _width(at)
        matrix = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
        size = (rgb.shape[1], rgb.shape[0])
        there = cv2.warpAffine(rgb, matrix, size, borderMode=cv2.BORDER_REFLECT)
        out = _mixed(out, there, _eye_mask(rgb.shape, at + shift))
    return out


def other_skin(rgb: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A face visibly darker, lighter, redder or yellower."""
    gains = ((0.82, 0.82, 0.82), (1.18, 1.18, 1.18), (1.1, 0.92, 0.9), (1.05, 1.02, 0.8))
    gain = np.array(gains[rng.integers(len(gains))], np.float32)
    return _mixed(rgb, rgb * gain, _hull(rgb.shape, points))


def glasses(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Dark frames around both eyes."""
    out = rgb.copy()
    centres = [points[eye].mean(0) for eye in EYES]
    span = float(np.linalg.norm(centres[1] - centres[0]))
    thick = max(2, round(0.07 * span))
    tilt = float(np.degrees(np.arctan2(*(centres[1] - centres[0])[::-1])))
    for centre in centres:
        axes = (round(0.36 * span), round(0.28 * span))
        cv2.ellipse(out, _point(centre), axes, tilt, 0, 360, (25, 22, 20), thick, cv2.LINE_AA)
    along = (centres[1] - centres[0]) / span
    inner = (_point(centres[0] + along * 0.36 * span), _point(centres[1] - along * 0.36 * span))
    cv2.line(out, *inner, (25, 22, 20), thick, cv2.LINE_AA)
    return out


def hand_over_mouth(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Four fingers before the mouth: what was filmed where a mouth is then invented."""
    mouth = points[48:60]
    centre, width = mouth.mean(0), _width(mouth)
    skin = rgb[_inside(rgb, points[[1, 2, 3, 31, 41]])].mean(0)
    out = rgb.astype(np.float32)
    finger = 0.36 * width
    for k in range(4):
        middle = centre + np.array([0.05 * width * k, (k - 1.5) * finger * 0.95])
        start = middle - np.array([0.85 * width, 0.1 * width])
        end = middle + np.array([0.9 * width, 0.0])
        for share, tone in ((1.0, 0.72), (0.8, 1.0), (0.45, 1.06)):
            mask = np.zeros(rgb.shape[:2], np.float32)
            cv2.line(
                mask, _point(start), _point(end), 1.0, max(1, round(finger * share)), cv2.LINE_AA
            )
            mask = cv2.GaussianBlur(mask, (0, 0), max(0.6, finger * 0.08))
            out += mask[..., None] * (skin * tone - out)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def _without_eye(rgb: np.ndarray, at: np.ndarray) -> np.ndarray:
    mask = (_eye_mask(rgb.shape, at, 0.0) > 0.5).astype(np.uint8)
    filled = cv2.inpaint(rgb, mask, 3, cv2.INPAINT_TELEA)
    return _mixed(rgb, filled, _eye_mask(rgb.shape, at))


def _eye_mask(shape: tuple[int, ...], at: np.ndarray, feather: float = 0.08) -> np.ndarray:
    width = _width(at)
    mask = np.zeros(shape[:2], np.float32)
    axes = (round(0.72 * width), round(0.42 * width))
    cv2.ellipse(mask, _point(at.mean(0)), axes, 0, 0, 360, 1.0, -1)
    return cv2.GaussianBlur(mask, (0, 0), feather * width) if feather else mask


def _hull(shape: tuple[int, ...], points: np.ndarray) -> np.ndarray:
    mask = np.zeros(shape[:2], np.float32)
    hull = cv2.convexHull(points.astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1.0)
    return cv2.GaussianBlur(mask, (0, 0), 0.02 * _width(points))


def _inside(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    mask = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), 1)
    return mask.astype(bool)


def _width(points: np.ndarray) -> float:
    return float(np.ptp(points[:, 0]))


def _point(at: np.ndarray) -> tuple[int, int]:
    return round(float(at[0])), round(float(at[1]))


def _mixed(under: np.ndarray, over: np.ndarray, mask: np.ndarray) -> np.ndarray:
    base = under.astype(np.float32)
    mixed = base + mask[..., None] * (over.astype(np.float32) - base)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
