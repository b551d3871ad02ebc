"""The nouns: simple ones by class, and the compounds made of them.

A row is `German gender German-plural English [English-plural]`; `_` stands for a space, `-` for a missing plural (mass
nouns), and gender `mw` is a masculine noun of the n-declension (der Student, den Studenten).
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.corpus.english import plural as english_plural


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun of both languages; each German noun has one English translation.

    Args:
        german: Nominative singular.
        gender: m, f or n.
        german_plural: Nominative plural, empty for mass nouns.
        english: Singular, one or more words.
        english_plural: Plural, empty for mass nouns.
        kind: The semantic class.
        weak: Whether it follows the n-declension.
    """

    german: str
    gender: str
    german_plural: str
    english: str
    english_plural: str
    kind: str
    weak: bool = False

    @property
    def mass(self) -> bool:
        """Whether it has no plural."""
        return not self.german_plural


_SIMPLE = {
    "person": """
        Lehrer m Lehrer teacher | Lehrerin f Lehrerinnen teacher | Arzt m Ärzte doctor | Ärztin f Ärztinnen doctor
        Koch m Köche cook | Köchin f Köchinnen cook | Student mw Studenten student | Studentin f Studentinnen student
        Schüler m Schüler pupil | Schülerin f Schülerinnen pupil
        Bäcker m Bäcker baker | Bäckerin f Bäckerinnen baker
        Gärtner m Gärtner gardener | Gärtnerin f Gärtnerinnen gardener | Kellner m Kellner waiter
        Kellnerin f Kellnerinnen waitress | Verkäufer m Verkäufer shop_assistant
        Verkäuferin f Verkäuferinnen shop_assistant | Polizist mw Polizisten policeman policemen
        Polizistin f Polizistinnen policewoman policewomen | Maler m Maler painter | Malerin f Malerinnen painter
        Musiker m Musiker musician | Musikerin f Musikerinnen musician | Journalist mw Journalisten journalist
        Journalistin f Journalistinnen journalist | Bauer mw Bauern farmer | Bäuerin f Bäuerinnen farmer
        Ingenieur m Ingenieure engineer | Ingenieurin f Ingenieurinnen engineer | Richter m Richter judge
        Richterin f Richterinnen judge | Schriftsteller m Schriftsteller writer
        Schriftstellerin f Schriftstellerinnen writer | Fotograf mw Fotografen photographer
        Fotografin f Fotografinnen photographer | Pilot mw Piloten pilot | Pilotin f Pilotinnen pilot
        Mechaniker m Mechaniker mechanic
        Friseur m Friseure hairdresser | Friseurin f Friseurinnen hairdresser | Mann m Männer man men
        Frau f Frauen woman women | Junge mw Jungen boy | Dame f Damen lady | Gast m Gäste guest
        Tourist mw Touristen tourist | Tänzerin f Tänzerinnen dancer
        Trainer m Trainer coach | Sängerin f Sängerinnen singer | Briefträger m Briefträger postman postmen
        Krankenschwester f Krankenschwestern nurse | Zahnarzt m Zahnärzte dentist | Busfahrer m Busfahrer bus_driver
        Taxifahrer m Taxifahrer taxi_driver | Deutschlehrer m Deutschlehrer German_teacher
        Musiklehrerin f Musiklehrerinnen music_teacher | Geschichtslehrer m Geschichtslehrer history_teacher
        Mathematiklehrerin f Mathematiklehrerinnen mathematics_teacher | Bürgermeister m Bürgermeister mayor""",
    "child": "Kind n Kinder child children | Mädchen n Mädchen girl",
    "kin": """
        Mutter f Mütter mother | Vater m Väter father | Bruder m Brüder brother | Schwester f Schwestern sister
        Onkel m Onkel uncle | Tante f Tanten aunt | Großmutter f Großmütter grandmother
        Großvater m Großväter grandfather | Sohn m Söhne son | Tochter f Töchter daughter | Neffe mw Neffen nephew
        Nichte f Nichten niece | Cousin m Cousins cousin | Cousine f Cousinen cousin
        Freund m Freunde friend | Freundin f Freundinnen friend | Nachbar mw Nachbarn neighbour
        Nachbarin f Nachbarinnen neighbour | Kollege mw Kollegen colleague | Kollegin f Kolleginnen colleague""",
    "animal": """
        Hund m Hunde dog | Katze f Katzen cat | Pferd n Pferde horse | Esel m Esel donkey | Hase mw Hasen rabbit
        Ziege f Ziegen goat | Kuh f Kühe cow | Huhn n Hühner hen | Ente f Enten duck | Schaf n Schafe sheep sheep""",
    "fruit": """
        Apfel m Äpfel apple | Birne f Birnen pear | Orange f Orangen orange | Kirsche f Kirschen cherry
        Tomate f Tomaten tomato tomatoes | Kartoffel f Kartoffeln potato potatoes | Gurke f Gurken cucumber
        Pflaume f Pflaumen plum | Ei n Eier egg | Zwiebel f Zwiebeln onion | Zitrone f Zitronen lemon
        Brötchen n Brötchen bread_roll | Erdbeere f Erdbeeren strawberry | Karotte f Karotten carrot""",
    "food": """
        Brot n - bread | Käse m - cheese | Reis m - rice | Fleisch n - meat | Butter f - butter | Honig m - honey
        Obst n - fruit | Gemüse n - vegetables | Schokolade f - chocolate | Fisch m - fish | Schinken m - ham""",
    "drink": "Wasser n - water | Milch f - milk | Wein m - wine | Limonade f - lemonade",
    "cup": "Kaffee m - coffee | Tee m - tea | Kakao m - cocoa",
    "cake": "Kuchen m Kuchen cake | Pizza f Pizzas pizza | Apfelstrudel m Apfelstrudel apple_strudel",
    "soup": "Suppe f Suppen soup",
    "salad": "Salat m Salate salad",
    "text": """
        Buch n Bücher book | Zeitung f Zeitungen newspaper | Brief m Briefe letter | Roman m Romane novel
        Artikel m Artikel article | Gedicht n Gedichte poem | Postkarte f Postkarten postcard
        Bericht m Berichte report | Märchen n Märchen fairy_tale | Zeitschrift f Zeitschriften magazine
        Geschichte f Geschichten story""",
    "clothing": """
        Mantel m Mäntel coat | Jacke f Jacken jacket | Hemd n Hemden shirt | Kleid n Kleider dress | Rock m Röcke skirt
        Mütze f Mützen cap | Hut m Hüte hat | Schal m Schals scarf scarves | Pullover m Pullover jumper
        Bluse f Blusen blouse""",
    "furniture": """
        Tisch m Tische table | Stuhl m Stühle chair | Schrank m Schränke cupboard | Lampe f Lampen lamp
        Regal n Regale shelf shelves | Sofa n Sofas sofa | Sessel m Sessel armchair | Teppich m Teppiche carpet
        Spiegel m Spiegel mirror""",
    "vehicle": """
        Auto n Autos car | Fahrrad n Fahrräder bicycle | Motorrad n Motorräder motorcycle | Boot n Boote boat
        Traktor m Traktoren tractor | Lastwagen m Lastwagen lorry""",
    "device": """
        Computer m Computer computer | Radio n Radios radio | Waschmaschine f Waschmaschinen washing_machine
        Drucker m Drucker printer | Uhr f Uhren clock | Fernseher m Fernseher television | Kamera f Kameras camera
        Heizung f Heizungen heater | Kaffeemaschine f Kaffeemaschinen coffee_machine
        Spülmaschine f Spülmaschinen dishwasher | Nähmaschine f Nähmaschinen sewing_machine""",
    "thing": """
        Schlüssel m Schlüssel key | Koffer m Koffer suitcase | Tasche f Taschen bag
        Regenschirm m Regenschirme umbrella | Korb m Körbe basket | Geschenk n Geschenke present | Ball m Bälle ball
        Telefon n Telefone telephone | Paket n Pakete parcel | Rucksack m Rucksäcke rucksack | Karte f Karten map
        Fahrkarte f Fahrkarten ticket | Bild n Bilder picture | Kerze f Kerzen candle | Puppe f Puppen doll
        Messer n Messer knife knives | Decke f Decken blanket | Kissen n Kissen cushion | Ring m Ringe ring""",
    "plant": """
        Blume f Blumen flower | Rose f Rosen rose | Baum m Bäume tree | Tulpe f Tulpen tulip
        Sonnenblume f Sonnenblumen sunflower | Apfelbaum m Apfelbäume apple_tree
        Kirschbaum m Kirschbäume cherry_tree""",
    "opening": "Tür f Türen door | Fenster n Fenster window | Tor n Tore gate",
    "building": """
        Haus n Häuser house | Wohnung f Wohnungen flat | Kirche f Kirchen church | Schule f Schulen school
        Brücke f Brücken bridge | Turm m Türme tower | Hotel n Hotels hotel | Museum n Museen museum
        Krankenhaus n Krankenhäuser hospital | Bahnhof m Bahnhöfe railway_station | Rathaus n Rathäuser town_hall
        Theater n Theater theatre | Fabrik f Fabriken factory | Bibliothek f Bibliotheken library
        Schwimmbad n Schwimmbäder swimming_pool | Flughafen m Flughäfen airport | Supermarkt m Supermärkte supermarket
        Restaurant n Restaurants restaurant | Burg f Burgen castle | Universität f Universitäten university""",
    "town": "Stadt f Städte town | Dorf n Dörfer village | Insel f Inseln island | Land n Länder country",
    "show": """
        Film m Filme film | Konzert n Konzerte concert | Ausstellung f Ausstellungen exhibition
        Oper f Opern opera | Theaterstück n Theaterstücke play""",
    "task": """
        Aufgabe f Aufgaben exercise | Frage f Fragen question | Regel f Regeln rule | Plan m Pläne plan
        Lied n Lieder song | Problem n Probleme problem""",
    "instrument": """
        Klavier n Klaviere piano | Geige f Geigen violin | Gitarre f Gitarren guitar | Flöte f Flöten flute
        Trompete f Trompeten trumpet""",
}

# head: (row, class, modifiers), each modifier `German-prefix English`
_COMPOUNDS = (
    (
        "kuchen m kuchen cake",
        "cake",
        "Apfel apple|Kirsch cherry|Schokoladen chocolate|Zitronen lemon|Nuss nut|Pflaumen plum",
    ),
    (
        "suppe f suppen soup",
        "soup",
        "Gemüse vegetable|Tomaten tomato|Kartoffel potato|Zwiebel onion|Fisch fish|Pilz mushroom|Bohnen"
        " bean|Hühner chicken",
    ),
    (
        "salat m salate salad",
        "salad",
        "Tomaten tomato|Kartoffel potato|Nudel pasta|Gurken cucumber|Bohnen bean|Obst fruit",
    ),
    ("saft m - juice", "drink", "Apfel apple|Orangen orange|Trauben grape|Tomaten tomato|Kirsch cherry|Birnen pear"),
    ("tisch m tische table", "furniture", "Küchen kitchen|Garten garden|Holz wooden|Glas glass"),
    ("stuhl m stühle chair", "furniture", "Küchen kitchen|Garten garden|Büro office|Holz wooden"),
    ("schrank m schränke cupboard", "furniture", "Küchen kitchen|Holz wooden"),
    ("lampe f lampen lamp", "furniture", "Küchen kitchen|Garten garden|Büro office"),
    ("tür f türen door", "opening", "Küchen kitchen|Garten garden|Keller cellar|Garagen garage|Glas glass|Holz wooden"),
    ("fenster n fenster window", "opening", "Küchen kitchen|Keller cellar|Dach attic|Büro office"),
    ("mantel m mäntel coat", "clothing", "Winter winter|Sommer summer|Leder leather|Woll woollen"),
    ("jacke f jacken jacket", "clothing", "Winter winter|Sommer summer|Leder leather|Woll woollen"),
    ("mütze f mützen cap", "clothing", "Winter winter|Leder leather|Woll woollen"),
    ("kleid n kleider dress", "clothing", "Sommer summer|Abend evening|Woll woollen"),
    ("buch n bücher book", "text", "Geschichts history|Kinder children's|Deutsch German|Schul school|Musik music"),
    ("schlüssel m schlüssel key", "thing", "Haus house|Auto car|Zimmer room|Keller cellar|Garagen garage|Büro office"),
    ("tasche f taschen bag", "thing", "Einkaufs shopping|Reise travelling|Leder leather|Schul school"),
    ("fahrrad n fahrräder bicycle", "vehicle", "Kinder children's|Damen lady's"),
    ("museum n museen museum", "building", "Stadt city|Dorf village|Geschichts history|Eisenbahn railway"),
    ("kirche f kirchen church", "building", "Dorf village"),
    ("schule f schulen school", "building", "Dorf village|Musik music|Tanz dancing"),
    ("lehrerin f lehrerinnen teacher", "person", "Deutsch German|Tanz dancing|Klavier piano"),
    ("lehrer m lehrer teacher", "person", "Klavier piano|Gitarren guitar|Mathematik mathematics"),
    ("uhr f uhren clock", "device", "Küchen kitchen|Bahnhofs station"),
    ("auto n autos car", "vehicle", "Sport sports"),
)


def _noun(row: str, kind: str) -> Noun:
    german, gender, plural, english, *rest = (field.replace("_", " ") for field in row.split())
    if plural == "-":
        plural, english_many = "", ""
    else:
        english_many = rest[0] if rest else english_plural(english)
    return Noun(german, gender[0], plural, english, english_many, kind, weak=gender == "mw")


def _read() -> dict[str, tuple[Noun, ...]]:
    by_kind: dict[str, dict[str, Noun]] = {}
    for kind, text in _SIMPLE.items():
        for row in text.replace("\n", "|").split("|"):
            if row.strip():
                noun = _noun(row, kind)
                by_kind.setdefault(kind, {})[noun.german] = noun
    for row, kind, modifiers in _COMPOUNDS:
        german, gender, plural, english = row.split()
        for modifier in modifiers.split("|"):
            prefix, word = modifier.split()
            many = "-" if plural == "-" else prefix + plural
            noun = _noun(f"{prefix}{german} {gender} {many} {word}_{english}", kind)
            by_kind[kind].setdefault(noun.german, noun)
    return {kind: tuple(rows.values()) for kind, rows in by_kind.items()}


NOUNS = _read()
BY_GERMAN = {noun.german: noun for rows in NOUNS.values() for noun in rows}
PARENTS = (
    Noun("", "m", "Eltern", "", "parents", "kin"),
    Noun("", "m", "Großeltern", "", "grandparents", "kin"),
)
