"""Proper names: people, and towns real and made of the usual parts of German town names."""

from __future__ import annotations

from tools.corpus.rows import words

WOMEN = words(
    "Anna Maria Laura Julia Lena Sophie Clara Emma Hannah Lisa Sarah Katharina Barbara Christine Ursula"
    " Sabine Monika"
    " Petra Claudia Susanne Martina Andrea Nicole Stefanie Melanie Karin Renate Helga Ingrid Gisela"
    " Elena Johanna"
    " Charlotte Franziska Marlene Paula Nora Greta Frieda Luise Mathilda Carla Lotte Antonia Helene"
    " Theresa Eva Sonja"
    " Tanja Birgit"
)
MEN = words(
    "Thomas Michael Andreas Peter Stefan Christian Martin Daniel Frank Bernd Jürgen Uwe Klaus Günther"
    " Wolfgang Dieter"
    " Manfred Helmut Gerhard Walter Heinrich Karl Hermann Otto Friedrich Paul Jonas Lukas Felix"
    " Maximilian Leon Finn"
    " Elias Noah Ben David Simon Tobias Florian Sebastian Philipp Jakob Anton Emil Oskar Theo Moritz"
    " Konstantin Valentin"
    " Matthias"
)
SURNAMES = words(
    "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Bauer Richter Klein"
    " Wolf Schröder Neumann"
    " Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause Meier Lehmann Köhler"
    " Herrmann König"
    " Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß Jung Hahn Schubert Vogel Friedrich"
    " Keller Günther"
    " Frank Berger Winkler Roth Beck Lorenz Baumann Franke Albrecht Schuster Simon Ludwig Böhm Winter"
    " Kraus Martin"
    " Schumacher Krämer Vogt Stein Jäger Otto Sommer Groß Seidel Heinrich Brandt Haas Schreiber Graf Dietrich"
    " Ziegler Kuhn Kühn Pohl Engel Horn Busch Bergmann Voigt Sauer Arnold Wolff Pfeiffer"
)
REAL_TOWNS = words(
    "Berlin Hamburg Frankfurt Stuttgart Düsseldorf Leipzig Dortmund Bremen Dresden Bonn Münster"
    " Mannheim Augsburg"
    " Wiesbaden Kiel Aachen Magdeburg Freiburg Lübeck Erfurt Mainz Rostock Kassel Potsdam Saarbrücken"
    " Oldenburg Osnabrück"
    " Heidelberg Darmstadt Regensburg Würzburg Ingolstadt Ulm Heilbronn Göttingen Bottrop Koblenz Jena Trier"
    " Siegen Hildesheim Gütersloh Cottbus Schwerin Esslingen Flensburg Tübingen Konstanz Marburg"
    " Bamberg Bayreuth"
    " Passau Landshut Weimar Stralsund Greifswald Salzburg Innsbruck Graz Linz Bern Basel Zürich Luzern"
)
_FIRST = words(
    "Alten Birken Blumen Buchen Eichen Erlen Falken Fichten Friedrichs Grün Hasel Heiden Hirsch Hohen"
    " Kirch Linden Lieben"
    " Mühl Neuen Nieder Ober Oster Reichen Rosen Schön Schwarzen Sonnen Stein Tannen Unter Wald Weiden"
    " Weißen Wester Wies"
    " Wolfs"
)
_LAST = words("au bach berg brunn burg dorf feld hagen hausen heim hofen kirchen rode see stedt tal")


def _towns() -> tuple[str, ...]:
    towns = list(REAL_TOWNS)
    seen = set(towns)
    for first in _FIRST:
        for last in _LAST:
            town = first + last
            if town not in seen and not last.startswith(first.lower()):
                seen.add(town)
                towns.append(town)
    return tuple(towns)


TOWNS = _towns()
