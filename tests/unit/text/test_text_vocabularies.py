import pytest

from nmt.core.errors import DataError
from nmt.text.vocabularies import Vocabularies


def test_joint_is_kept_once_and_loaded_as_one_object(models, tmp_path):
    vocabularies = Vocabularies(models["bpe"], models["bpe"])
    vocabularies.save(tmp_path / "v")
    assert [path.name for path in (tmp_path / "v").iterdir()] == ["joint.model"]
    loaded = Vocabularies.load(tmp_path / "v")
    assert loaded.source is loaded.target
    assert loaded.joint
    assert loaded.fingerprint == vocabularies.fingerprint


def test_two_models_replace_a_joint_one(models, tmp_path):
    Vocabularies(models["bpe"], models["bpe"]).save(tmp_path)
    vocabularies = Vocabularies(models["bpe"], models["unigram"])
    vocabularies.save(tmp_path)
    loaded = Vocabularies.load(tmp_path)
    assert not loaded.joint
    assert loaded.fingerprint == vocabularies.fingerprint
    assert loaded.fingerprint != Vocabularies(models["unigram"], models["bpe"]).fingerprint


def test_missing(models, tmp_path):
    with pytest.raises(DataError, match=r"must hold joint\.model, or source\.model and target\.model"):
        Vocabularies.load(tmp_path)
    (tmp_path / "source.model").write_bytes(models["bpe"].serialised)
    with pytest.raises(DataError, match=r"target\.model: there is no such vocabulary"):
        Vocabularies.load(tmp_path)
