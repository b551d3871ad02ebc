"""Logits by a product in bf16, the best of which are computed again in float32."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nmt.model.fast.onednn import PrepackedWeight


@dataclass(frozen=True, slots=True)
class RoundedLogits:
    """Logits rounded to bf16, of N hypotheses.

    Adjacent bf16 numbers differ by a quarter of a nat where logits are large, so the best pieces often tie. ``refine``
    computes the logits of some pieces again, and corrects the normaliser for the difference. If they are the best of a
    sentence, then what remains rounded are less probable pieces, whose errors average out in the normaliser. So pieces
    that are not always allowed, but may be probable, are counted too.

    Args:
        features: (N, F) float32, as rounded for the product.
        logits: (N, V) bf16.
        log_probs: (N, V) float32 log-probabilities by the rounded logits.
        exact: the product that computes them without rounding.
    """

    features: Tensor
    logits: Tensor
    log_probs: Tensor
    exact: PrepackedWeight

    @classmethod
    def of(cls, features: Tensor, rounding: PrepackedWeight, exact: PrepackedWeight) -> RoundedLogits:
        """Multiply features (N, F) by the weights; both products have the same factors."""
        features = exact.rounded(features)
        logits = rounding.product(features)
        return cls(features, logits, torch.log_softmax(logits.float(), -1), exact)

    def refine(self, parents: Tensor, tokens: Tensor, real: Tensor, always: Tensor) -> Tensor:
        """Log-probabilities (b, n) of some continuations, in float32; see ``nmt.data.batch.Refine``."""
        first = torch.arange(len(parents), device=parents.device) * (len(self.features) // len(parents))
        rows = first.unsqueeze(1) + parents
        rough, change = self.log_probs[rows, tokens], self.exact.elements(self.features, rows, tokens)
        change = change - self.logits[rows, tokens]
        # How much the probabilities of a hypothesis's continuations grow; a hypothesis may have several.
        counted = real & ~torch.isin(tokens, always)
        grown = torch.where(counted, rough.exp() * change.expm1(), 0.0)
        same = parents.unsqueeze(2) == parents.unsqueeze(1)
        total = (same * grown.unsqueeze(1)).sum(2)
        others = self.exact.columns(self.features, always) - self.logits[:, always]
        total = total + (self.log_probs[:, always].exp() * others.expm1()).sum(1)[rows]
        found = rough + change - total.log1p()
        return found.clamp(max=0.0)  # search relies on it, and the last digit may be wrong
