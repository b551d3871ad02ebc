"""The adjectives, by the classes of nouns that they describe."""

from __future__ import annotations

_ROWS = {
    "person": "alt old|jung young|freundlich friendly|nett nice|klug clever|berühmt famous|fleißig hard-working|höflich polite",
    "child": "klein little|klug clever|fröhlich cheerful|mutig brave|freundlich friendly|fleißig hard-working",
    "kin": "alt old|jung young|krank ill",
    "animal": "alt old|jung young|klein little|groß big|schwarz black|weiß white|braun brown|faul lazy",
    "fruit": "frisch fresh|reif ripe|süß sweet|groß big|klein small",
    "food": "frisch fresh|gut good|teuer expensive|billig cheap",
    "drink": "kalt cold|frisch fresh|gut good|süß sweet",
    "cup": "heiß hot|stark strong|kalt cold|gut good",
    "cake": "lecker delicious|frisch fresh|groß big|gut good",
    "soup": "lecker delicious|heiß hot|gut good",
    "salad": "lecker delicious|frisch fresh|groß big|gut good",
    "text": "interessant interesting|lang long|kurz short|neu new|alt old|langweilig boring|spannend exciting",
    "clothing": "warm warm|neu new|alt old|teuer expensive|rot red|blau blue|grün green|schwarz black|weiß white"
    "|schön beautiful|elegant elegant|dunkel dark|billig cheap",
    "furniture": "alt old|neu new|groß big|klein small|schwer heavy|modern modern|bequem comfortable|teuer expensive|weiß white",
    "vehicle": "neu new|alt old|schnell fast|rot red|blau blue|grün green|teuer expensive|modern modern|gebraucht second-hand",
    "device": "neu new|alt old|kaputt broken|modern modern|teuer expensive|billig cheap",
    "thing": "neu new|alt old|klein small|groß big|schön beautiful|rot red|blau blue|grün green|bunt colourful|teuer expensive",
    "plant": "schön beautiful|klein small|groß big|jung young",
    "opening": "alt old|groß big|klein small|grün green|schwer heavy|weiß white|neu new",
    "building": "alt old|neu new|modern modern|berühmt famous|klein small|groß big|hoch high|schön beautiful|hässlich ugly",
    "town": "klein small|schön beautiful|ruhig quiet|alt old",
    "show": "neu new|interessant interesting|langweilig boring|lang long|spannend exciting|lustig funny",
    "task": "schwierig difficult|einfach simple|neu new|wichtig important|lang long",
    "instrument": "alt old|neu new|teuer expensive|gut good",
}
# what fits only some nouns of a class is forbidden here: (adjective, German noun)
_EXCLUDED = frozenset(
    {
        ("schnell", "Traktor"), ("schnell", "Lastwagen"), ("teuer", "Traktor"), ("bequem", "Tisch"), ("bequem", "Schrank"),
        ("bequem", "Lampe"), ("bequem", "Regal"), ("bequem", "Spiegel"), ("bequem", "Teppich"), ("reif", "Ei"), ("süß", "Ei"),
        ("reif", "Zwiebel"), ("süß", "Zwiebel"), ("süß", "Zitrone"), ("süß", "Kartoffel"), ("reif", "Kartoffel"),
        ("reif", "Brötchen"), ("süß", "Brötchen"), ("süß", "Gurke"), ("süß", "Wasser"), ("süß", "Milch"), ("reif", "Karotte"), ("reif", "Gurke"), ("teuer", "Obst"), ("alt", "Schüler"), ("alt", "Schülerin"), ("jung", "Bürgermeister"), ("berühmt", "Schüler"), ("berühmt", "Schülerin"), ("alt", "Junge"), ("jung", "Junge"), ("berühmt", "Junge"), ("alt", "Student"), ("alt", "Studentin"), ("berühmt", "Briefträger"), ("berühmt", "Verkäufer"), ("berühmt", "Verkäuferin"), ("berühmt", "Gast"), ("berühmt", "Tourist"), ("berühmt", "Busfahrer"), ("berühmt", "Taxifahrer"), ("berühmt", "Kellner"), ("berühmt", "Kellnerin"), ("berühmt", "Krankenschwester"),
        ("groß", "Esel"), ("groß", "Hase"), ("groß", "Ente"), ("groß", "Kuh"), ("klein", "Kuh"), ("klein", "Junge"),
        ("klein", "Turm"), ("hoch", "Wohnung"), ("hoch", "Museum"), ("hoch", "Supermarkt"), ("hoch", "Bibliothek"),
        ("hoch", "Schwimmbad"), ("hoch", "Flughafen"), ("hoch", "Restaurant"), ("hoch", "Universität"), ("hoch", "Bahnhof"),
        ("hoch", "Krankenhaus"), ("hoch", "Theater"), ("hoch", "Schule"), ("hoch", "Fabrik"), ("berühmt", "Wohnung"),
        ("berühmt", "Supermarkt"), ("berühmt", "Fabrik"), ("berühmt", "Schwimmbad"), ("berühmt", "Krankenhaus"),
        ("berühmt", "Haus"), ("berühmt", "Flughafen"), ("berühmt", "Bahnhof"), ("faul", "Huhn"), ("faul", "Schaf"),
        ("faul", "Hase"), ("faul", "Ziege"), ("faul", "Ente"), ("faul", "Kuh"), ("lustig", "Oper"), ("lustig", "Konzert"),
        ("lustig", "Ausstellung"), ("spannend", "Konzert"), ("spannend", "Oper"), ("alt", "Mädchen"), ("lang", "Problem"),
        ("lang", "Plan"), ("lang", "Regel"), ("lang", "Frage"), ("einfach", "Problem"), ("lang", "Aufgabe"),
        ("wichtig", "Lied"), ("gut", "Wasser"), ("modern", "Teppich"), ("schwer", "Lampe"), ("klein", "Land"),
        ("ruhig", "Land"), ("alt", "Land"), ("alt", "Insel"), ("warm", "Kleid"), ("warm", "Rock"), ("warm", "Bluse"),
        ("warm", "Hut"), ("warm", "Hemd"), ("spannend", "Zeitung"), ("langweilig", "Postkarte"), ("spannend", "Postkarte"),
        ("lang", "Zeitung"), ("kurz", "Zeitung"), ("lang", "Zeitschrift"), ("kurz", "Zeitschrift"), ("spannend", "Zeitschrift"),
        ("klein", "Sonnenblume"), ("jung", "Blume"), ("jung", "Rose"), ("jung", "Tulpe"), ("jung", "Sonnenblume"),
        ("groß", "Tulpe"), ("groß", "Rose"), ("interessant", "Postkarte"), ("bunt", "Schlüssel"), ("schön", "Schlüssel"),
        ("bunt", "Karte"), ("rot", "Karte"), ("blau", "Karte"), ("grün", "Karte"), ("bunt", "Fahrkarte"), ("rot", "Fahrkarte"),
        ("blau", "Fahrkarte"), ("grün", "Fahrkarte"), ("schön", "Fahrkarte"), ("groß", "Fahrkarte"), ("klein", "Fahrkarte"),
        ("bunt", "Messer"), ("rot", "Telefon"), ("bunt", "Telefon"), ("bunt", "Ring"), ("groß", "Ring"), ("klein", "Puppe"),
        ("teuer", "Paket"), ("schön", "Paket"), ("neu", "Paket"), ("alt", "Paket"), ("teuer", "Korb"), ("blau", "Messer"),
        ("rot", "Messer"), ("grün", "Messer"), ("schön", "Messer"), ("neu", "Geschenk"), ("alt", "Geschenk"),
        ("rot", "Geschenk"), ("blau", "Geschenk"), ("grün", "Geschenk"), ("rot", "Bild"), ("blau", "Bild"), ("grün", "Bild"),
        ("elegant", "Pullover"), ("elegant", "Mütze"), ("teuer", "Mütze"), ("alt", "Fahrkarte"), ("rot", "Schlüssel"),
        ("blau", "Schlüssel"), ("grün", "Schlüssel"), ("teuer", "Schlüssel"), ("groß", "Schlüssel"),
    }
)  # fmt: skip

ADJECTIVES: dict[str, tuple[tuple[str, str], ...]] = {
    kind: tuple((pair.split()[0], pair.split()[1]) for pair in row.split("|")) for kind, row in _ROWS.items()
}


def adjectives_for(german: str, kind: str) -> tuple[tuple[str, str], ...]:
    """Return the (German, English) adjectives that suit a noun; a compound is judged by its last part."""
    return _FITTING.get((german, kind)) or _fit(german, kind)


def _fit(german: str, kind: str) -> tuple[tuple[str, str], ...]:
    fitting = tuple(
        pair
        for pair in ADJECTIVES[kind]
        if not any(pair[0] == adjective and german.lower().endswith(noun.lower()) for adjective, noun in _EXCLUDED)
    )
    _FITTING[german, kind] = fitting
    return fitting


_FITTING: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}
