"""Rounds of each stage alone and then the whole, so that both meet the same machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vsr.bench.bound import StageTime, lower_bound
from vsr.bench.clip import Clip
from vsr.bench.measure import Pass, Spread, core_count
from vsr.bench.outlook import Outlook
from vsr.bench.result import StageRow, WholeRow
from vsr.bench.stages import STAGES, Prepared, measure_stage
from vsr.bench.whole import run_whole
from vsr.core.progress import Progress, ProgressHook


class Rounds:
    """Measures in rounds and sums them up."""

    def __init__(self, clip: Clip, made: Prepared, folder: Path) -> None:
        self._clip, self._made, self._folder = clip, made, folder
        self._stages: dict[str, list[Pass]] = {name: [] for name in STAGES}
        self._whole: list[Pass] = []
        self._traces = self._traced()

    def run(self, repeats: int, hook: ProgressHook, outlook: Outlook) -> None:
        """Measure every stage and the whole, ``repeats`` times in turns.

        outlook: is told what each of these took.
        """
        steps = repeats * (len(STAGES) + 1)
        made, clip = self._made, self._clip
        # one run that does not count: files in the page cache, every batch shape seen
        first = run_whole(clip.path, made.recipe, made.upscaler, self._folder)
        outlook.costs.whole_s = first.seconds
        outlook.done("whole")
        self._traces = self._traced()
        for number in range(repeats):
            for at, name in enumerate(STAGES):
                done = number * (len(STAGES) + 1) + at
                hook(Progress(f"alone: {name}", done, steps, unit="passes"))
                self._stages[name].append(measure_stage(name, made, self._folder))
            took = {name: found[-1].seconds for name, found in self._stages.items()}
            outlook.costs.encode_s = took.pop("encode")
            outlook.costs.alone_s = sum(took.values())
            outlook.done("stages")
            hook(Progress("the whole", done + 1, steps, unit="passes"))
            self._whole.append(run_whole(clip.path, made.recipe, made.upscaler, self._folder))
            outlook.costs.whole_s = self._whole[-1].seconds
            outlook.done("whole")
        hook(Progress("the whole", steps, steps, unit="passes"))

    def stage_rows(self) -> tuple[StageRow, ...]:
        """Each stage alone; empty before `run`."""
        return tuple(_stage_row(name, found) for name, found in self._stages.items() if found)

    def whole_row(self) -> WholeRow | None:
        """The whole against its bound; None before `run`."""
        if not self._whole:
            return None
        cores = core_count()
        per_round = [
            {name: StageTime(p[i].seconds, p[i].cpu_s) for name, p in self._stages.items()}
            for i in range(len(self._whole))
        ]
        bounds = [lower_bound(stages, cores) for stages in per_round]
        work = [sum(stage.cpu_s for stage in stages.values()) for stages in per_round]
        middle = sorted(bounds, key=lambda b: b.seconds)[len(bounds) // 2]
        seconds = Spread.of(p.seconds for p in self._whole)
        rate = self._whole[0].items / seconds.median
        return WholeRow(
            seconds=seconds,
            cpu_s=Spread.of(p.cpu_s for p in self._whole),
            first_s=Spread.of(p.first_s for p in self._whole).median,
            frames_per_s=rate,
            realtime=rate / self._clip.fps,
            bound_s=Spread.of(b.seconds for b in bounds),
            limited_by=middle.limited_by,
            whole_over_bound=Spread.of(
                p.seconds / b.seconds for p, b in zip(self._whole, bounds, strict=True)
            ),
            cpu_over_stages=Spread.of(p.cpu_s / w for p, w in zip(self._whole, work, strict=True)),
            retraced=self._traced() - self._traces,
        )

    def _traced(self) -> int:
        return int(getattr(self._made.upscaler, "traces", 0))


def _stage_row(name: str, found: Sequence[Pass]) -> StageRow:
    seconds = Spread.of(p.seconds for p in found)
    return StageRow(
        name,
        seconds,
        Spread.of(p.cpu_s for p in found),
        Spread.of(p.first_s for p in found).median,
        found[0].items / seconds.median,
    )
