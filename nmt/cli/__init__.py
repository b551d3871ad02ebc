"""Commands: ``nmt-train``, ``nmt-translate``, ``nmt-evaluate``, ``nmt-align``."""
