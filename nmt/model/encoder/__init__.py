"""Encoders, each registered under its name in a recipe."""

from nmt.model.encoder import rnn as rnn
