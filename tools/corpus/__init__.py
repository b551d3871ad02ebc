"""A synchronous German-English grammar that writes the quickstart corpus and its gold word alignment.

The walk: `sentences` draws a kind of sentence and puts clauses together (`subordinate`, `relatives`, `statements`); a
clause is an event (`frames`, `scenes`, `events`, `tenses`) or a state (`states`) with its people and things
(`objects`, `adverbials`); `clauses` puts both sides in order; `phrases`, `german`, `english` and `numerals` inflect;
`words` turns identity into positions; `generator` keeps what is new and of the wanted length.

The German side decides everything. `sie` is she or they by its verb, `Sie` (you) never opens a sentence, the
accusative `sie` is not written. A German present is progressive in English, unless the verb (kennen), an adverb (oft,
jeden Tag), a time of day (um sieben Uhr) or a clause with wenn, bevor, nachdem, sobald makes it simple; a time to
come (morgen) makes it will.

Conventions of the gold alignment, over white-space words with their punctuation:

- does, did, is, has, will, and the words of a modal (has to, is allowed to) belong to the German finite verb;
- not belongs to nicht or kein, a or any after it to kein; cannot belongs to both kann and nicht;
- an English particle or preposition (gets up, listens to) belongs to the separable prefix, else to the verb;
- to in `in order to` belongs to um and zu; like to belongs to gern;
- of in `a cup of tea` belongs to Tasse, a in `is a doctor` to the bare German noun;
- a compound, a contraction (im, zum) and a numeral belong to all their English words;
- German words without an English counterpart have no link (dem in mit dem Zug, der in der Hund meines Bruders);
  every English word has at least one.
"""
