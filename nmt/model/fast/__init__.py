"""Fast paths: faster or smaller implementations that compute the same as the formulas in ``nmt.model``.

``attention/``, ``encoder/``, ``decoder/``, ``readout/`` and ``cells`` contain only the formulas. A part opts in to a
fast path by a condition on its ``fast``, which ``Seq2Seq.fast`` sets for all parts (``training.fast_paths``), or by its
own ``prepack``, which search calls on a copy of the model; otherwise the formula runs. Fast paths take tensors and the
layers whose weights they read, and do not depend on decoders or encoders; only ``prepacked`` and ``fingerprint`` take a
whole model.

Each file is tested to equal what it replaces, in values and in gradients, if any. Gains are speed-ups over the plain
path on an AMD EPYC (Zen 5); on Intel's processors they are lower in fp32. ``tools/benchmarks`` has the method and more
results: ``training.md``, ``translation.md``, ``peers.md``.

| file                | replaces                                | tested equal by               | gains                |
|---------------------|-----------------------------------------|-------------------------------|----------------------|
| `bahdanau`          | the loop of `BahdanauDecoder.unroll`    | `test_fast_bahdanau`          | an update: 1.65 fp32 |
| `luong`             | that of `LuongDecoder.unroll`, fed      | `test_fast_luong`             | an update: 1.70 fp32 |
| `scores`            | attention by one query a step, for both | `test_fast_bahdanau`          | energies not kept    |
| `attention_parts`   | attention by all queries at once, unfed | `test_fast_luong`             | few energies at once |
| `gru`               | the steps of a GRU, for all recurrences | `test_fast_bidirectional_gru` | part of theirs       |
| `bidirectional_gru` | `nn.GRU` of packed rows, in training    | `test_fast_bidirectional_gru` | 1.22 to 1.96 in bf16 |
| `lstm`              | `nn.LSTM` of packed rows                | `test_model_cells`            | no packing           |
| `cross_entropy`     | `OutputLayer.token_losses`              | `test_model_readout`          | no (tokens, V) kept  |
| `mixture`           | `position_scores` of a latent alignment | `test_model_mixture`          | what rounding loses  |
| `prepacked`         | products, additive score, in search     | `test_fast_prepacked`         | beam 5: 2.14 fp32    |
| `prepacked_gru`     | `nn.GRU` of packed rows, in search      | `test_fast_prepacked`         | 1.5 fp32, 2 bf16     |
| `fingerprint`       | packing weights for every search        | `test_fast_fingerprint`       | that time            |
| `onednn`            | products in fp32 by other libraries     | `test_fast_onednn`            | 86 to 206 GFLOP/s    |
"""
