"""Fast paths: what runs in place of the formulas of ``nmt.model``, gives the same, and takes less time or memory.

A reader of ``attention/``, ``encoder/``, ``decoder/``, ``readout/`` and ``cells`` meets formulas alone. A part opts in
by a condition on its ``fast``, which ``Seq2Seq.fast`` sets for all of them (``training.fast_paths``), or by a
``prepack`` of its own, which search calls on a copy of the model; otherwise the formula runs. What is here takes
tensors and the layers whose weights it reads, and knows no decoder and no encoder; only ``prepacked`` and
``fingerprint`` take a whole model.

Each file is tested equal to what it replaces, in values and in gradients where there are any. Times are ratios, so many
times as fast as the plain way, on an AMD EPYC (Zen 5); on Intel's processors they are lower in fp32. How they were
measured, and more of them, is in ``tools/benchmarks``: ``training.md``, ``translation.md``, ``peers.md``.

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
