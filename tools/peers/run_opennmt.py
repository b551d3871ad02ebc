"""Run OpenNMT-py in turns: `run_opennmt.py train|translate CONFIG.yaml`; in its own environment."""

from __future__ import annotations

import functools
import sys
from contextlib import suppress
from types import ModuleType

import torch
import yaml
from turns import Stopped, Turns

# Its models hold more than tensors, which torch no longer loads by itself.
torch.load = functools.partial(torch.load, weights_only=False)
# Imported at the start by transforms of text that are not used here; two large packages less to install.
for name in ("spacy", "fasttext"):
    sys.modules.setdefault(name, ModuleType(name))


def train(path: str, turns: Turns) -> None:
    from onmt import trainer
    from onmt.bin.train import _get_parser
    from onmt.bin.train import train as train_by

    update = trainer.Trainer._gradient_accumulation

    def counted(self: trainer.Trainer, batches: list, *rest: object) -> object:
        result = update(self, batches, *rest)
        padding = self.train_loss.padding_idx
        try:
            turns.updated(sum(int(batch["tgt"][:, 1:, 0].ne(padding).sum()) for batch in batches))
        except Stopped:
            self.model_saver.save(self.optim.training_step)
            raise
        return result

    trainer.Trainer._gradient_accumulation = counted
    turns.wait()
    train_by(_get_parser().parse_known_args(["-config", path])[0])


def translate(path: str, turns: Turns) -> None:
    from onmt.bin.translate import _get_parser
    from onmt.inference_engine import InferenceEnginePY
    from onmt.utils.parse import ArgumentParser

    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        output = yaml.safe_load(file)["output"]
    engines = {}
    while True:
        beam = turns.wait()
        if beam not in engines:
            arguments = ["-config", path, "-beam_size", str(beam), "-output", f"{output}.{beam}"]
            if beam == 1:  # otherwise it runs beam search with one hypothesis
                arguments += ["-random_sampling_topk", "1"]
            options = _get_parser().parse_args(arguments)
            ArgumentParser.validate_translate_opts(options)
            ArgumentParser._get_all_transform_translate(options)
            ArgumentParser._validate_transforms_opts(options)
            ArgumentParser.validate_translate_opts_dynamic(options)
            engines[beam] = InferenceEnginePY(options)
        _, predictions = engines[beam].infer_file()
        turns.tell(sentences=len(predictions))


if __name__ == "__main__":
    with suppress(Stopped):
        {"train": train, "translate": translate}[sys.argv[1]](sys.argv[2], Turns())
