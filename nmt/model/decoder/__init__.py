"""Decoders, each registered under its name in a recipe."""

from nmt.model.decoder import bahdanau as bahdanau
from nmt.model.decoder import conditional as conditional
from nmt.model.decoder import luong as luong
