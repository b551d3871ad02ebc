// Sentences of a text, each translated by itself, and their translations.
//
// A sentence: text, its begin and end in the source, its line, the prefix that its translation must have, the record
// that the server answered and the question that it answers, the rank of the translation shown, and earlier states.

const NO_END = /(?:^|[\s(])(?:\p{L}|\p{N}{1,3})\.\s*$/u; // an initial, or an ordinal number: the sentence goes on

function segments(line, language) {
  if (!Intl.Segmenter) return [line];
  let segmenter;
  try {
    segmenter = new Intl.Segmenter(language, { granularity: "sentence" });
  } catch {
    segmenter = new Intl.Segmenter(undefined, { granularity: "sentence" }); // the code is no language's
  }
  const found = [];
  for (const { segment } of segmenter.segment(line)) {
    if (found.length && NO_END.test(found.at(-1))) found.push(found.pop() + segment);
    else found.push(segment);
  }
  return found;
}

function sentencesOf(text, language) {
  const sentences = [];
  let begin = 0;
  for (const [number, line] of text.split("\n").entries()) {
    let at = begin;
    for (const segment of segments(line, language)) {
      const trimmed = segment.trim(), first = at + segment.indexOf(trimmed);
      if (trimmed) sentences.push(sentence({ text: trimmed, begin: first, end: first + trimmed.length, line: number }));
      at += segment.length;
    }
    begin += line.length + 1;
  }
  return sentences;
}

function sentence(place) {
  return { ...place, prefix: "", record: null, question: null, rank: 0, history: [] };
}

// Sentences of a changed text: what has not changed keeps its translation, and what has shows the old one until the new
// one is there.
function carriedOver(before, after) {
  const same = (one, other) => one?.text === other?.text;
  let head = 0, tail = 0;
  while (head < before.length && head < after.length && same(before[head], after[head])) head++;
  const most = Math.min(before.length, after.length) - head;
  while (tail < most && same(before.at(-1 - tail), after.at(-1 - tail))) tail++;
  return after.map((one, index) => {
    const { text, begin, end, line } = one;
    if (index < head) return Object.assign(before[index], { begin, end, line });
    if (index >= after.length - tail) return Object.assign(before[before.length - (after.length - index)], { begin, end, line });
    const old = index < before.length - tail ? before[index] : null;
    return old ? { ...sentence({ text, begin, end, line }), record: old.record, rank: old.rank } : one;
  });
}

// What the server is asked about a sentence; a record answers one question.
function questionOf(sentence) {
  const question = { text: sentence.text };
  if (sentence.prefix) question.prefix = sentence.prefix;
  if (state.constraints.length) question.constraints = state.constraints;
  if (state.avoid.length) question.avoid = state.avoid;
  return question;
}

function keyOf(question) {
  return JSON.stringify([state.model, question]);
}

function isOpen(sentence) {
  return sentence.question !== keyOf(questionOf(sentence));
}

// Text and units of the translation shown; units have their probabilities.
function translationOf(sentence) {
  const hypothesis = sentence?.record?.hypotheses[sentence.rank], target = sentence?.record?.entry?.targets[sentence.rank];
  if (!hypothesis) return { text: "", words: [] };
  const words = targetUnits(sentence.record, sentence.rank);
  return { text: hypothesis.text, words: words.map((unit) => ({ ...unit, logProb: target && logProbOf(target, unit) })) };
}
