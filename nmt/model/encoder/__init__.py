"""Encoders, each registered under its name in a recipe."""

from nmt.model.encoder import grid as grid
from nmt.model.encoder import rnn as rnn
