"""Export to Marian (Junczys-Dowmunt et al., 2018): a model trained here, run by a C++ engine."""
