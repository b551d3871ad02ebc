"""Attention: scores and alignment functions, each registered under its name in a recipe."""

from nmt.model.attention import glimpse as glimpse
from nmt.model.attention import hard as hard
from nmt.model.attention import local as local
from nmt.model.attention import location as location
from nmt.model.attention import marginal as marginal
from nmt.model.attention import multi_head as multi_head
from nmt.model.attention import none as none
from nmt.model.attention import scores as scores
from nmt.model.attention import soft as soft
from nmt.model.attention import sparse as sparse
