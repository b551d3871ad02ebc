// What else the search had at a place of a translation: words, with their probabilities after what stands before them.

const MOST_CANDIDATES = 8;
const CONTINUATION = 5; // words of what follows a candidate that are shown

// Candidates, the likeliest first. Each has a word, a logProb, what follows it in the search, whether the word is whole
// (another word follows it), open (the search went no further, so that the word may go on), and the rank of a translation
// that ends with it.
function candidatesAt(record, rank, index) {
  const found = new Map();
  const add = (candidate) => {
    const other = found.get(candidate.word);
    if (!candidate.word) return;
    if (!other) found.set(candidate.word, candidate);
    else {
      const better = candidate.logProb > other.logProb ? candidate : other;
      const worse = better === other ? candidate : other;
      const open = better.open && worse.open;
      found.set(candidate.word, {
        ...better, open, whole: better.whole || worse.whole, rank: better.rank ?? worse.rank, follows: better.follows || worse.follows,
      });
    }
  };
  const { targets, tree } = record.entry, unit = targetUnits(record, rank)[index];
  if (unit.whole) fromHypotheses(record, rank, index, add);
  if (tree && unit.pieces.length) fromTree(nodesOf(tree), targets[rank].pieces.slice(0, unit.pieces[0]).join(""), unit.whole, add);
  return [...found.values()].sort((one, other) => other.logProb - one.logProb).slice(0, MOST_CANDIDATES);
}

function fromHypotheses(record, rank, index, add) {
  const { targets } = record.entry, before = targets[rank].words.slice(0, index).join(" ");
  targets.forEach((target, other) => {
    const { words } = target;
    if (words.length <= index || words.slice(0, index).join(" ") !== before) return;
    const last = words.length === index + 1;
    add({
      word: words[index], logProb: logProbOf(target, targetUnits(record, other)[index]) ?? -Infinity, open: false, whole: !last,
      rank: last ? other : undefined, follows: words.slice(index + 1, index + 1 + CONTINUATION).join(" "),
    });
  });
}

// What the tree has after given pieces: words, or pieces where the script has no spaces.
function fromTree(nodes, before, words, add) {
  const texts = [];
  for (const node of nodes) texts.push((texts[node.parent] ?? "") + node.piece);
  const starts = nodes.filter((node, at) => texts[at] === before && node.piece !== "").map((node) => node.children);
  if (before === "") starts.push(nodes.filter((node) => node.parent < 0));
  for (const child of starts.flat()) {
    if (child.piece === "") continue;
    if (!words) {
      const follows = plain(bestPath(child.children)).slice(0, 3 * CONTINUATION);
      add({ word: plain(child.piece), logProb: child.logProb, open: false, whole: false, follows });
    } else if (before === "" || child.piece.startsWith(MARKER)) grow(child, child.piece, child.logProb, add);
  }
}

function grow(node, pieces, logProb, add) {
  const inside = node.children.filter((child) => child.piece !== "" && (pieces === MARKER || !child.piece.startsWith(MARKER)));
  const after = node.children.filter((child) => !inside.includes(child));
  if (!node.children.length) add({ word: plain(pieces), logProb, open: true, whole: false, follows: "" });
  if (after.length) {
    const whole = after.some((child) => child.piece !== "");
    const follows = whole ? plain(bestPath(after)).split(" ").slice(0, CONTINUATION).join(" ") : "";
    add({ word: plain(pieces), logProb, open: false, whole, follows });
  }
  for (const child of inside) grow(child, pieces + child.piece, logProb + child.logProb, add);
}

// The pieces along the best continuations.
function bestPath(children) {
  let text = "";
  for (let node = children.toSorted(bestFirst)[0]; node; node = node.children.toSorted(bestFirst)[0]) text += node.piece;
  return text;
}

// Candidates whose words the search had not finished, as the model finishes them.
async function completed(sentence, before, index, candidates, signal) {
  const open = candidates.filter((candidate) => candidate.open).slice(0, 4);
  if (!open.length) return candidates;
  const questions = open.map((candidate) => ({ ...questionOf(sentence), prefix: before + candidate.word }));
  const records = await translated(questions, { signal });
  const found = new Map(candidates.filter((candidate) => !candidate.open).map((candidate) => [candidate.word, candidate]));
  records.forEach((record, place) => {
    const target = record.entry.targets[0], word = target.words[index];
    if (record.problem || word === undefined || found.has(word)) return;
    const last = target.words.length === index + 1;
    found.set(word, {
      word, logProb: logProbOf(target, targetUnits(record, 0)[index]) ?? open[place].logProb, open: false, whole: !last,
      follows: target.words.slice(index + 1, index + 1 + CONTINUATION).join(" "),
    });
  });
  for (const candidate of candidates) if (candidate.open && !open.includes(candidate)) found.set(candidate.word, candidate);
  return [...found.values()].sort((one, other) => other.logProb - one.logProb);
}
