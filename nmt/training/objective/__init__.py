"""Training losses: one objective and added loss terms, each registered under its name."""

from nmt.training.objective import doubly_stochastic as doubly_stochastic
from nmt.training.objective import guided_alignment as guided_alignment
from nmt.training.objective import lexical_guidance as lexical_guidance
from nmt.training.objective import likelihood as likelihood
from nmt.training.objective import reinforce as reinforce
from nmt.training.objective import variational as variational
