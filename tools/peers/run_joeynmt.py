"""Run JoeyNMT in turns: `run_joeynmt.py train|translate CONFIG.yaml`; in its own environment."""

from __future__ import annotations

import functools
import sys
from contextlib import suppress
from pathlib import Path

from turns import Stopped, Turns


def train(config: dict, turns: Turns) -> None:
    from joeynmt import training

    step, before = training.TrainManager._train_step, []

    def counted(self: object, batch: object) -> object:
        # When the next batch is requested, the update of the previous one is finished.
        if before:
            try:
                turns.updated(before.pop())
            except Stopped:
                raise KeyboardInterrupt from None  # which saves the weights
        before.append(int(batch.ntokens))
        return step(self, batch)

    training.TrainManager._train_step = counted
    Path(config["model_dir"]).mkdir(parents=True, exist_ok=True)
    turns.wait()
    training.train(rank=0, world_size=None, cfg=config, skip_test=True)


def translate(config: dict, turns: Turns) -> None:
    from joeynmt import prediction
    from joeynmt.config import parse_global_args

    # Its search does not use the minimum length in its configuration.
    shortest = config["testing"]["min_output_length"]
    prediction.search = functools.partial(prediction.search, min_output_length=shortest)
    newest = max(Path(config["model_dir"]).glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
    config["testing"]["load_model"] = str(newest)
    args = parse_global_args(config, rank=0, mode="test")
    model, _, _, data = prediction.prepare(args, rank=0, mode="test")
    data.reset_indices(random_subset=-1)
    while True:
        beam = turns.wait()
        found = prediction.predict(
            model=model,
            data=data,
            device=args.device,
            n_gpu=0,
            args=args.test._replace(beam_size=beam),
            autocast=args.autocast,
        )
        lines = found[2]
        Path(config["outputs"], f"joeynmt.{beam}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        turns.tell(sentences=len(lines))


if __name__ == "__main__":
    from joeynmt.config import load_config

    with suppress(Stopped):
        {"train": train, "translate": translate}[sys.argv[1]](load_config(Path(sys.argv[2])), Turns())
