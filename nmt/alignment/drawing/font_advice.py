"""Free fonts for each script, for users who have to install one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_CJK = "Noto Sans CJK JP"

# Scripts by the first word of their character names (CHEROKEE LETTER A); the font is Noto Sans with that name.
_OWN = re.split(
    r",\s+",
    """ADLAM, ARABIC, ARMENIAN, AVESTAN, BALINESE, BAMUM, BASSA VAH, BATAK, BENGALI, BHAIKSUKI, BRAHMI, BUGINESE,
    BUHID, CARIAN, CAUCASIAN ALBANIAN, CHAKMA, CHAM, CHEROKEE, COPTIC, CUNEIFORM, CYPRIOT, DESERET, DEVANAGARI,
    DUPLOYAN, ELBASAN, ELYMAIC, ETHIOPIC, GEORGIAN, GLAGOLITIC, GOTHIC, GRANTHA, GUJARATI, GUNJALA GONDI, GURMUKHI,
    HANIFI ROHINGYA, HANUNOO, HATRAN, HEBREW, IMPERIAL ARAMAIC, INSCRIPTIONAL PAHLAVI, INSCRIPTIONAL PARTHIAN,
    JAVANESE, KAITHI, KANNADA, KAYAH LI, KHAROSHTHI, KHMER, KHOJKI, KHUDAWADI, LAO, LEPCHA, LIMBU, LINEAR A,
    LINEAR B, LISU, LYCIAN, LYDIAN, MAHAJANI, MALAYALAM, MANDAIC, MANICHAEAN, MARCHEN, MASARAM GONDI, MEDEFAIDRIN,
    MEETEI MAYEK, MENDE KIKAKUI, MEROITIC, MIAO, MODI, MONGOLIAN, MRO, MULTANI, MYANMAR, NABATAEAN, NEW TAI LUE,
    NEWA, NUSHU, OGHAM, OL CHIKI, OLD HUNGARIAN, OLD ITALIC, OLD NORTH ARABIAN, OLD PERMIC, OLD PERSIAN,
    OLD SOGDIAN, OLD SOUTH ARABIAN, OLD TURKIC, ORIYA, OSAGE, OSMANYA, PAHAWH HMONG, PALMYRENE, PAU CIN HAU,
    PHOENICIAN, PSALTER PAHLAVI, REJANG, RUNIC, SAMARITAN, SAURASHTRA, SHARADA, SHAVIAN, SIDDHAM, SINHALA, SOGDIAN,
    SORA SOMPENG, SOYOMBO, SUNDANESE, SYLOTI NAGRI, SYRIAC, TAGALOG, TAGBANWA, TAI LE, TAI THAM, TAI VIET, TAKRI,
    TAMIL, TELUGU, THAANA, THAI, TIFINAGH, TIRHUTA, UGARITIC, VAI, WANCHO, WARANG CITI, YI, ZANABAZAR SQUARE""",
)
_FONTS = {
    **{script: f"Noto Sans {script.title()}" for script in _OWN},
    **{script: f"Noto Serif {script.title()}" for script in ("TIBETAN", "AHOM", "DOGRA", "TANGUT", "YEZIDI")},
    **dict.fromkeys(("LATIN", "GREEK", "CYRILLIC"), "Noto Sans"),
    **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "FULLWIDTH", "HALFWIDTH", "IDEOGRAPHIC"), _CJK),
    "HANGUL": "Noto Sans CJK KR",
    "CANADIAN SYLLABICS": "Noto Sans Canadian Aboriginal",
    "EGYPTIAN HIEROGLYPH": "Noto Sans Egyptian Hieroglyphs",
    "ANATOLIAN HIEROGLYPH": "Noto Sans Anatolian Hieroglyphs",
    "SIGNWRITING": "Noto Sans SignWriting",
    "NYIAKENG PUACHUE HMONG": "Noto Serif Hmong Nyiakeng",
    "NKO": "Noto Sans NKo",
    "PHAGS-PA": "Noto Sans PhagsPa",
    "MATHEMATICAL": "Noto Sans Math",
    "MUSICAL": "Noto Music",
}


def script_of(character: str) -> str:
    """Return the script of a letter: the start of its Unicode name, such as ``CHEROKEE``; empty without a name."""
    words = unicodedata.name(character, "").removeprefix("COMBINING ").replace("CJK UNIFIED IDEOGRAPH-", "CJK ").split()
    prefixes = [" ".join(words[:count]) for count in (3, 2, 1)]
    return next((prefix for prefix in prefixes if prefix in _FONTS), prefixes[-1])


def font_of(character: str) -> str:
    """Return the name of a free font that has a character; empty if none is known."""
    symbols = "Noto Sans Symbols 2" if unicodedata.category(character)[0] == "S" else ""
    return _FONTS.get(script_of(character), symbols)


def advice(characters: Iterable[str]) -> str:
    """Say which fonts to install for some characters."""
    fonts = sorted({font for character in characters if (font := font_of(character))})
    if not fonts:
        return "install a font that has them"
    packages = sorted({"fonts-noto-cjk" if "CJK" in font else "fonts-noto-core" for font in fonts})
    return f"install {', '.join(fonts)} (Debian and Ubuntu: {', '.join(packages)})"
