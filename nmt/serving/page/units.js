// What can be pointed at in a text: its words or, where the script has no spaces, its pieces.

const NO_SPACES = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Bopo}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\p{sc=Tibt}]/u;

// Units of a text, each with its begin and end, its pieces, and whether it is a word. ``spans`` are those of the words, and
// ``side`` is the text in the entry.
function unitsOf(text, spans, side) {
  const words = inUtf16(text, spans).map(([begin, end]) => ({ begin, end, pieces: [], whole: true }));
  (side?.owners ?? []).forEach((owner, piece) => words[owner]?.pieces.push(piece));
  if (!NO_SPACES.test(text) || !side?.pieces) return words;
  const found = [];
  let at = 0;
  for (const [index, piece] of side.pieces.entries()) {
    const letters = plain(piece), begin = text.indexOf(letters, at);
    if (begin < 0) return words; // the text was normalised before it was cut
    at = begin + letters.length;
    if (letters) found.push({ begin, end: at, pieces: [index], whole: false });
  }
  return found;
}

// The server counts characters, a script counts 16-bit units.
function inUtf16(text, spans) {
  const starts = [];
  let at = 0;
  for (const letter of text) {
    starts.push(at);
    at += letter.length;
  }
  starts.push(at);
  return spans.map(([begin, end]) => [starts[begin], starts[end]]);
}

function plain(pieces) {
  return pieces.replaceAll(MARKER, " ").trim();
}

// The logarithm of the probability of a unit: the sum over its pieces; null where there is none.
function logProbOf(target, unit) {
  const known = (unit?.pieces ?? []).map((piece) => target.logProbs?.[piece]).filter((logProb) => typeof logProb === "number");
  return known.length ? known.reduce((sum, logProb) => sum + logProb, 0) : null;
}

// Units of a translation in the list of a record.
function targetUnits(record, rank) {
  const { text, spans } = record.hypotheses[rank];
  return unitsOf(text, spans, record.entry?.targets[rank]);
}

// Both sides of a sentence in units, and its attention between them; null where its translation is of another text.
function unitsOfSentence(sentence) {
  const { record, rank, text } = sentence ?? {};
  if (!record?.entry || record.source !== text) return null;
  if (sentence.units?.record !== record || sentence.units.rank !== rank) {
    const source = unitsOf(text, record.source_spans, record.entry.source), target = targetUnits(record, rank);
    const words = [...source, ...target].every((unit) => unit.whole);
    const view = viewOf(record.entry, rank, words ? "words" : "pieces", names, new Set(names.soft));
    sentence.units = { record, rank, source, target, words, layer: view.soft[0] };
  }
  return sentence.units;
}

// How much of its attention a unit of the translation gives to one of the source, 0 to 1.
function shareOf({ source, target, words, layer }, to, from) {
  if (!layer) return 0;
  const rows = words ? [to] : target[to].pieces, columns = words ? [from] : source[from].pieces;
  return Math.max(0, ...rows.flatMap((row) => columns.map((column) => layer.share(row, column))));
}

// The number that a unit has in the picture, and the unit of a number there; -1 if none.
function inPicture(units, side, index) {
  if (unitOf() === "pieces") return units[side][index]?.pieces[0] ?? -1;
  return units[side][index]?.whole ? index : -1;
}

function ofPicture(units, side, index) {
  if (unitOf() === "pieces") return units[side].findIndex((unit) => unit.pieces.includes(index));
  return units[side][index]?.whole ? index : -1;
}
