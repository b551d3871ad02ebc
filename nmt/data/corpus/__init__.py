"""Parallel corpora: text files, JSON lines, TSV and the Hugging Face hub, read as memory-mapped tables."""

from nmt.data.corpus.family import CorpusConfig
from nmt.data.corpus.hub import HubCorpusConfig
from nmt.data.corpus.pairs import Pairs, read_all_pairs, read_pairs
from nmt.data.corpus.records import JsonCorpusConfig, TsvCorpusConfig
from nmt.data.corpus.text import TextCorpusConfig

__all__ = [
    "CorpusConfig",
    "HubCorpusConfig",
    "JsonCorpusConfig",
    "Pairs",
    "TextCorpusConfig",
    "TsvCorpusConfig",
    "read_all_pairs",
    "read_pairs",
]
