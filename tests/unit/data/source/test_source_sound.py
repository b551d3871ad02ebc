"""Sound files: samples of every format, filterbanks against Kaldi's, one message for each file that is of no use."""

from __future__ import annotations

import struct
import sys
import wave
from pathlib import Path

import numpy
import pytest
import torch

from nmt.core.config.ranges import problems_of
from nmt.core.errors import DataError, NmtError
from nmt.data.source import SourceConfig
from nmt.data.source.filterbank import frame_count, log_mel
from nmt.data.source.sound import SoundSourceConfig
from nmt.data.source.waveform import Limits, read_waveform

RATE = 8000
LIMITS = Limits(RATE, 60.0)
SOUND = SoundSourceConfig(rate=RATE, bins=10)


def wav(path: Path, data: bytes, *, bits: int = 16, rate: int = RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(bits // 8)
        file.setframerate(rate)
        file.writeframes(data)
    return path


def tone(samples: int = 2000, rate: int = RATE) -> numpy.ndarray:
    return numpy.sin(numpy.arange(samples) * 2 * numpy.pi * 440 / rate) * 8000


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def form(kind: int, bits: int, *, channels: int = 1, more: bytes = b"") -> bytes:
    width = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", kind, channels, RATE, RATE * width, width, bits) + more)


@pytest.mark.parametrize(
    ("bits", "data", "expected"),
    [
        (8, bytes([0, 64, 128, 255]), [-1, -0.5, 0, 127 / 128]),
        (16, struct.pack("<4h", -(2**15), -1, 0, 2**14), [-1, -(2.0**-15), 0, 0.5]),
        (24, b"\0\0\x80" + b"\xff\xff\xff" + b"\0\0\0" + b"\0\0\x40", [-1, -(2.0**-23), 0, 0.5]),
        (32, struct.pack("<4i", -(2**31), -1, 0, 2**30), [-1, -(2.0**-31), 0, 0.5]),
    ],
)
def test_whole_numbers_of_every_width(tmp_path: Path, bits: int, data: bytes, expected: list[float]) -> None:
    assert read_waveform(wav(tmp_path / "a.wav", data, bits=bits), LIMITS).tolist() == expected


@pytest.mark.parametrize("letter", ["f", "d"])
def test_floats_other_chunks_and_extended_headers(tmp_path: Path, letter: str) -> None:
    values = [0.25, -1.0, 0.5]
    data = chunk(b"data", struct.pack(f"<3{letter}", *values))
    bits = 8 * struct.calcsize(letter)
    extended = struct.pack("<HHI", 22, bits, 0) + struct.pack("<H", 3) + bytes(14)
    note = chunk(b"LIST", b"odd")
    for name, content in (
        ("plain", riff(form(3, bits), data)),
        ("extended", riff(note, form(0xFFFE, bits, more=extended), note, data, note)),
        ("streamed", riff(form(3, bits), b"data" + b"\xff" * 4 + data[8:])),
    ):
        (tmp_path / name).write_bytes(content)
        assert read_waveform(tmp_path / name, LIMITS).tolist() == values, name


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must be a WAV, FLAC or Ogg file, but is empty"),
        (b"\x89PNG\r\n\x1a\n....", "must be a WAV, FLAC or Ogg file, but begins with b'.x89PNG"),
        (b"RIFF....AVI LIST", "must be a WAV, FLAC or Ogg file, but begins with"),
        (b"RIFF\4\0\0\0WAVE", r"a WAV file without a description of its sound \(fmt\)"),
        (riff(form(1, 16)), r"a WAV file without a sound \(data\)"),
        (riff(chunk(b"data", bytes(4)), form(1, 16)), r"without a description of its sound \(fmt\)"),
        (riff(form(1, 16))[:-6], "whose header has 10 bytes, not 16"),
        (riff(form(1, 16), chunk(b"data", bytes(800)))[:-100], "is cut off: 800 bytes of sound are announced, but 700"),
        (riff(form(1, 16), chunk(b"data", b"")), "must hold sound, but has no samples"),
        (riff(form(1, 16), chunk(b"data", bytes(398))), "must have at least 200 samples, 25 ms, but has 199"),
        (riff(form(1, 12), chunk(b"data", bytes(800))), "but has format 1 with 12 bits"),
        (riff(form(7, 8), chunk(b"data", bytes(800))), "but has format 7 with 8 bits"),
        (riff(form(1, 16, channels=2), chunk(b"data", bytes(800))), "must have one channel, but has 2; mix them"),
        (riff(form(3, 32), chunk(b"data", struct.pack("<f", float("nan")) * 300)), "must hold finite numbers"),
        (riff(form(1, 8), chunk(b"data", bytes(60 * RATE + 800))), "at most 60 seconds long.* but lasts 60.1"),
    ],
)
def test_each_unusable_file_gets_one_message_that_names_it(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "some.wav"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"some.wav: .*{said}"):
        SOUND.read(path)


def test_another_rate_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", bytes(4000), rate=RATE)
    with pytest.raises(DataError, match=r"must have 16000 samples a second, as data\.source\.rate says, but has 8000"):
        SoundSourceConfig().read(path)
    with pytest.raises(DataError, match=r"there is no such sound file; did you mean .*a\.wav"):
        SOUND.read(tmp_path / "b.wav")
    with pytest.raises(DataError, match="must be a sound file, but is a folder"):
        SOUND.read(tmp_path)


def test_a_length_is_refused_before_the_sound_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(riff(form(1, 16)) + b"data" + struct.pack("<I", 0x70000000))
    with pytest.raises(DataError, match="must be at most 60 seconds long"):
        SOUND.read(path)


def kaldi_signal() -> torch.Tensor:
    return torch.from_numpy(((numpy.arange(800) ** 2 * 7919) % 2001 - 700).astype(numpy.float32)) / 2**15


def test_filterbanks_are_those_of_kaldi() -> None:
    """The values are those of kaldi-native-fbank 1.23."""
    found = log_mel(kaldi_signal(), RATE, 5)
    assert found.shape == (8, 5)
    first = torch.tensor([16.276775, 18.455217, 19.734612, 20.992033, 21.745474])
    last = torch.tensor([16.608488, 18.412863, 19.826092, 20.790497, 22.040386])
    torch.testing.assert_close(found[[0, 7]], torch.stack([first, last]), rtol=0, atol=1e-4)


@pytest.mark.parametrize(("rate", "bins"), [(16000, 80), (8000, 23), (22050, 64), (44100, 40)])
def test_filterbanks_equal_another_implementation(rate: int, bins: int) -> None:
    kaldi = pytest.importorskip("kaldi_native_fbank")
    generator = numpy.random.default_rng(1)
    samples = tone(rate // 2, rate) + generator.normal(size=rate // 2) * 300 + 900
    options = kaldi.FbankOptions()
    options.frame_opts.dither, options.frame_opts.samp_freq, options.mel_opts.num_bins = 0, rate, bins
    options.energy_floor = 0
    computer = kaldi.OnlineFbank(options)
    computer.accept_waveform(rate, samples.tolist())
    computer.input_finished()
    expected = numpy.stack([computer.get_frame(index) for index in range(computer.num_frames_ready)])
    found = log_mel(torch.from_numpy(samples.astype(numpy.float32)) / 2**15, rate, bins)
    assert frame_count(len(samples), rate) == len(expected)
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=0, atol=2e-3)


def test_filters_have_no_mean_and_unit_variance_over_a_recording(tmp_path: Path) -> None:
    samples = tone() * numpy.linspace(0.1, 1, 2000)
    path = wav(tmp_path / "a.wav", samples.astype("<i2").tobytes())
    plain, centred, scaled = (
        SoundSourceConfig(rate=RATE, bins=10, normalise=how).read(path) for how in ("none", "mean", "mean-variance")
    )
    assert plain.shape == (23, 10) and plain.dtype == numpy.float32
    numpy.testing.assert_allclose(centred, plain - plain.mean(0), atol=1e-4)
    numpy.testing.assert_allclose(scaled, (plain - plain.mean(0)) / plain.std(0), atol=1e-3)


def test_digital_silence_gives_nothing_large(tmp_path: Path) -> None:
    assert abs(SOUND.read(wav(tmp_path / "a.wav", bytes(4000)))).max() < 0.01


@pytest.mark.parametrize("kind", ["FLAC", "OGG"])
def test_compressed_files_are_read_by_soundfile(tmp_path: Path, kind: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / f"a.{kind.lower()}"
    soundfile.write(path, (tone(4000) / 2**15), RATE, format=kind)
    found = read_waveform(path, LIMITS)
    assert len(found) == 4000
    numpy.testing.assert_allclose(found, tone(4000) / 2**15, atol=1e-4 if kind == "FLAC" else 0.05)
    with pytest.raises(DataError, match="must have 16000 samples a second"):
        SoundSourceConfig().read(path)
    path.write_bytes(path.read_bytes()[: 1000 if kind == "FLAC" else 60])
    with pytest.raises(DataError, match=r"a\..*: is (damaged or )?cut off"):
        SOUND.read(path)


def test_without_soundfile_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    (tmp_path / "a.flac").write_bytes(b"fLaC" + bytes(100))
    with pytest.raises(NmtError, match=r"a\.flac: FLAC and Ogg need the package soundfile.*pip install 'nmt\[sound\]'"):
        SOUND.read(tmp_path / "a.flac")


def test_positions_are_named_by_the_middle_of_their_time() -> None:
    assert SOUND.extent(Path("a.wav"), 8) == pytest.approx((0.0075, 0.0875))
    assert [SOUND.units(length) for length in (1, 4, 5, 100)] == [1, 1, 2, 25]
    assert SOUND.labels((2,), 8) == ["0.03", "0.07"]


def test_the_config_checks_its_numbers() -> None:
    assert SourceConfig.registry.find("sound") is SoundSourceConfig
    assert (SoundSourceConfig().input_size, SoundSourceConfig().rate, SoundSourceConfig().dimensions) == (80, 16000, 1)
    assert [path for path, _ in problems_of(SoundSourceConfig(rate=900))] == ["rate"]
    assert [path for path, _ in problems_of(SoundSourceConfig(bins=101, rate=RATE))] == ["bins"]
    assert not [*problems_of(SoundSourceConfig(bins=100, rate=RATE))]
