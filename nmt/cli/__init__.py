"""The commands, a module each: ``nmt-train``, ``nmt-translate`` ...; what they share is in ``run`` and ``streams``."""
