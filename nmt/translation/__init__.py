"""Translation: model bundles, the translator, writers, scoring of given targets."""
