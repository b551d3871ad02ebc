"""Encoders, each registered under its name in a recipe."""

from nmt.model.encoder import convolutional as convolutional
from nmt.model.encoder import grid as grid
from nmt.model.encoder import pixels as pixels
from nmt.model.encoder import projected as projected
from nmt.model.encoder import pyramid as pyramid
from nmt.model.encoder import rnn as rnn
from nmt.model.encoder import transformer as transformer
