"""Model, objective and loss terms as one module for training, saving and resumption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from nmt.core.errors import wrong_result
from nmt.data.batch import Batch
from nmt.model.readout.output_layer import TokenLoss
from nmt.model.seq2seq import Seq2Seq
from nmt.training.objective.base import Objective, Term, TermConfig


@dataclass(frozen=True, slots=True)
class BatchLoss:
    """The loss of a batch, summed over its tokens.

    Args:
        loss: scalar, in nats, with all terms; differentiable.
        nll: scalar negative log-likelihood in nats (or an upper bound).
        tokens: number of target tokens.
        terms: unweighted scalar of each term, by name.
    """

    loss: Tensor
    nll: Tensor
    tokens: int
    terms: dict[str, Tensor]


class TrainingModule(nn.Module):
    """A model, its objective and its loss terms.

    Args:
        model: the translation model.
        objective: its training objective.
        terms: added loss terms, by name.
    """

    def __init__(self, model: Seq2Seq, objective: Objective, terms: Mapping[str, tuple[TermConfig, Term]]) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.terms = nn.ModuleDict({name: term for name, (_, term) in terms.items()})
        self._configs = {name: config for name, (config, _) in terms.items()}

    def forward(self, batch: Batch, bos_id: int, step: int) -> BatchLoss:
        """Compute the loss of a batch on the model's device; several passes (R-Drop) are averaged.

        The weights of the terms depend on the updates made so far, ``step``.
        """
        passes = self.objective.forward_passes
        if passes > 1:
            batch = batch.repeated(passes)
        output = self.model(batch.source, batch.target, bos_id)
        words = self.objective(self.model, batch, output)
        if not isinstance(words, TokenLoss) or words.loss.shape != ():
            raise wrong_result(
                self.objective.forward, "a TokenLoss whose loss is a scalar", getattr(words, "loss", words)
            )
        loss, values = words.loss, {}
        for name, term in self.terms.items():
            value = term(batch, output)
            if getattr(value, "shape", None) != ():
                raise wrong_result(term.forward, "a scalar tensor", value)
            loss = loss + self._configs[name].weight_at(step) * value
            values[name] = value.detach() / passes
        return BatchLoss(loss=loss / passes, nll=words.nll / passes, tokens=words.tokens // passes, terms=values)

    @property
    def auxiliary(self) -> nn.ModuleDict:
        """Objective and terms: trained besides the model, not needed for translation."""
        return nn.ModuleDict({"objective": self.objective, "terms": self.terms})

    @property
    def parts(self) -> nn.ModuleDict:
        """All modules with parameters; those of the model keep their names."""
        return nn.ModuleDict({**dict(self.model.named_children()), **dict(self.auxiliary.items())})
