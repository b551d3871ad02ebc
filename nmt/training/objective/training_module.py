"""What is trained: the model, its objective and the terms added to it, as one module to save and to resume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from nmt.data.batch import Batch
from nmt.model.seq2seq import Seq2Seq
from nmt.training.objective.base import Objective, Term, TermConfig


@dataclass(frozen=True, slots=True)
class BatchLoss:
    """The loss of a batch, summed over its tokens.

    Args:
        loss: scalar, in nats, with all terms; carries the gradient.
        nll: scalar negative log-likelihood in nats (or what bounds it).
        tokens: number of target tokens.
        terms: scalar of each term before its weight, by its name.
    """

    loss: Tensor
    nll: Tensor
    tokens: int
    terms: dict[str, Tensor]


class TrainingModule(nn.Module):
    """A model, its objective, and the terms added to it.

    Args:
        model: what is trained to translate.
        objective: how its words are made likely.
        terms: what is added, by name.
    """

    def __init__(self, model: Seq2Seq, objective: Objective, terms: Mapping[str, tuple[TermConfig, Term]]) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.terms = nn.ModuleDict({name: term for name, (_, term) in terms.items()})
        self._configs = {name: config for name, (config, _) in terms.items()}

    def forward(self, batch: Batch, bos_id: int, step: int) -> BatchLoss:
        """Run a batch; where it is run several times (R-Drop), the results are averaged.

        Args:
            batch: B pairs, on the model's device.
            bos_id: first input of the decoder.
            step: updates made so far, which decide the weights of the terms.
        """
        passes = self.objective.forward_passes
        if passes > 1:
            batch = batch.repeated(passes)
        output = self.model(batch.source, batch.target, bos_id)
        words = self.objective(self.model, batch, output)
        loss, values = words.loss, {}
        for name, term in self.terms.items():
            value = term(batch, output)
            loss = loss + self._configs[name].weight_at(step) * value
            values[name] = value.detach() / passes
        return BatchLoss(loss=loss / passes, nll=words.nll / passes, tokens=words.tokens // passes, terms=values)

    @property
    def auxiliary(self) -> nn.ModuleDict:
        """Objective and terms: what is trained besides the model, and not needed to translate."""
        return nn.ModuleDict({"objective": self.objective, "terms": self.terms})

    @property
    def parts(self) -> nn.ModuleDict:
        """Everything with parameters, those of the model under the names that they have in it."""
        return nn.ModuleDict({**dict(self.model.named_children()), **dict(self.auxiliary.items())})
