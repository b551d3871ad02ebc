"""The adjectives, by the classes of nouns that they describe."""

from __future__ import annotations

from tools.corpus.rows import words

_ROWS = {
    "person": "alt old|jung young|freundlich friendly|nett nice|klug clever|berühmt famous|fleißig"
    " hard-working|höflich polite",
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
    "clothing": "warm warm|neu new|alt old|teuer expensive|rot red|blau blue|grün green|schwarz black"
    "|weiß white"
    "|schön beautiful|elegant elegant|dunkel dark|billig cheap",
    "furniture": "alt old|neu new|groß big|klein small|schwer heavy|modern modern|bequem comfortable"
    "|teuer expensive|weiß white",
    "vehicle": "neu new|alt old|schnell fast|rot red|blau blue|grün green|teuer expensive|modern modern"
    "|gebraucht second-hand",
    "device": "neu new|alt old|kaputt broken|modern modern|teuer expensive|billig cheap",
    "thing": "neu new|alt old|klein small|groß big|schön beautiful|rot red|blau blue|grün green|bunt"
    " colourful|teuer expensive",
    "plant": "schön beautiful|klein small|groß big|jung young",
    "opening": "alt old|groß big|klein small|grün green|schwer heavy|weiß white|neu new",
    "building": "alt old|neu new|modern modern|berühmt famous|klein small|groß big|hoch high|schön"
    " beautiful|hässlich ugly",
    "room": "klein small|groß big",
    "nature": "schön beautiful|klein small|groß big|ruhig quiet",
    "public": "neu new|alt old|klein small|groß big|modern modern",
    "town": "klein small|schön beautiful|ruhig quiet|alt old",
    "show": "neu new|interessant interesting|langweilig boring|lang long|spannend exciting|lustig funny",
    "task": "schwierig difficult|einfach simple|neu new|wichtig important|lang long",
    "instrument": "alt old|neu new|teuer expensive|gut good",
}
# an adjective of a class that does not fit some of its nouns
_EXCLUDED = {
    "schnell": words("Traktor Lastwagen"),
    "teuer": words("Traktor Obst Paket Korb Mütze Schlüssel"),
    "bequem": words("Tisch Schrank Lampe Regal Spiegel Teppich"),
    "reif": words("Ei Zwiebel Kartoffel Brötchen Karotte Gurke"),
    "süß": words("Ei Zwiebel Zitrone Kartoffel Brötchen Gurke Wasser Milch"),
    "alt": words("Schüler Schülerin Junge Student Studentin Mädchen Land Insel Paket Geschenk Fahrkarte"),
    "jung": words("Bürgermeister Junge Blume Rose Tulpe Sonnenblume"),
    "berühmt": words(
        "Schüler Schülerin Junge Briefträger Verkäufer Verkäuferin Gast Tourist Busfahrer"
        " Taxifahrer Kellner Kellnerin Krankenschwester Wohnung Supermarkt Fabrik Schwimmbad"
        " Krankenhaus Haus Flughafen Bahnhof"
    ),
    "groß": words("Esel Hase Ente Kuh Tulpe Rose Fahrkarte Ring Schlüssel"),
    "klein": words("Kuh Junge Turm Land Sonnenblume Fahrkarte Puppe"),
    "hoch": words(
        "Wohnung Museum Supermarkt Bibliothek Schwimmbad Flughafen Restaurant Universität"
        " Bahnhof Krankenhaus Theater Schule Fabrik"
    ),
    "faul": words("Huhn Schaf Hase Ziege Ente Kuh"),
    "lustig": words("Oper Konzert Ausstellung"),
    "spannend": words("Konzert Oper Zeitung Postkarte Zeitschrift"),
    "lang": words("Problem Plan Regel Frage Aufgabe Zeitung Zeitschrift"),
    "einfach": words("Problem"),
    "wichtig": words("Lied"),
    "gut": words("Wasser"),
    "modern": words("Teppich"),
    "schwer": words("Lampe"),
    "ruhig": words("Land"),
    "warm": words("Kleid Rock Bluse Hut Hemd"),
    "langweilig": words("Postkarte"),
    "kurz": words("Zeitung Zeitschrift"),
    "interessant": words("Postkarte"),
    "bunt": words("Schlüssel Karte Fahrkarte Messer Telefon Ring"),
    "schön": words("Schlüssel Fahrkarte Paket Messer"),
    "rot": words("Karte Fahrkarte Telefon Messer Geschenk Bild Schlüssel"),
    "blau": words("Karte Fahrkarte Messer Geschenk Bild Schlüssel"),
    "grün": words("Karte Fahrkarte Messer Geschenk Bild Schlüssel"),
    "neu": words("Paket Geschenk"),
    "elegant": words("Pullover Mütze"),
}

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
        if not any(german.lower().endswith(noun.lower()) for noun in _EXCLUDED.get(pair[0], ()))
    )
    _FITTING[german, kind] = fitting
    return fitting


_FITTING: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}
