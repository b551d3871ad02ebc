"""Sharing a model on the Hugging Face hub: the folder to upload (`sharing`) and its `model_card`."""
