// Sentences as nmt.alignment.report.json_entries writes them, and one target of one of them prepared for drawing.

const MARKER = "\u2581"; // SentencePiece's mark of a space
const NULL_WORD = "∅";
const END = "eos";
const HUES = 5; // colours of soft layers; see pictures.css

// All layers of a page, so that one keeps its colour from sentence to sentence.
function namesOf(entries) {
  const soft = new Set(), links = new Set(), measures = new Set();
  let gold = false, pieces = false, trees = false;
  for (const entry of entries) {
    trees ||= entry.tree !== undefined;
    for (const target of entry.targets) {
      for (const layer of target.layers ?? []) {
        soft.add(layer.name);
        pieces ||= layer.pieces !== undefined;
      }
      for (const name of Object.keys(target.links ?? {})) links.add(name);
      for (const name of Object.keys(target.measures)) measures.add(name);
      gold ||= target.gold !== undefined;
    }
  }
  return { soft: [...soft], links: [...links], measures: [...measures], gold, pieces, trees };
}

function parsedLinks(text) {
  return text.split(" ").filter(Boolean).map((field) => {
    const [, source, kind, target] = /^(\d+)([-p])(\d+)$/.exec(field);
    return { source: Number(source), target: Number(target), sure: kind === "-" };
  });
}

function unpacked([rows, columns, largest, data], relative) {
  const bytes = atob(data);
  const unit = relative ? largest || 1 : 1;
  return {
    rows,
    columns,
    relative,
    at: (row, column) => (largest * bytes.charCodeAt(row * columns + column)) / 255,
    // 0 to 1, for shades and widths
    share: (row, column) => Math.min(1, (largest * bytes.charCodeAt(row * columns + column)) / 255 / unit),
  };
}

function labels(text, unit) {
  if (unit === "words") return text.words.map((word) => ({ text: word, begins: true }));
  return text.pieces.map((piece, index) => ({
    text: piece.replaceAll(MARKER, "") || MARKER,
    begins: index === 0 || text.owners[index] !== text.owners[index - 1],
  }));
}

function spread(links, source, target, unit) {
  if (unit === "words") return links;
  const placesOf = (text, word) => text.owners.flatMap((owner, place) => (owner === word ? [place] : []));
  return links.flatMap((link) => placesOf(source, link.source).flatMap((from) =>
    placesOf(target, link.target).map((to) => ({ source: from, target: to, sure: link.sure }))));
}

// What a sentence is called in lists: its words, or the path of the file that the source is.
function titleOf(text) {
  return text.file ?? text.words.join(" ");
}

function viewOf(entry, rank, unit, names, shown) {
  const { source } = entry, target = entry.targets[rank];
  const sourceLabels = labels(source, unit), targetLabels = labels(target, unit);
  const soft = [];
  for (const layer of target.layers ?? []) {
    if (shown.has(layer.name) && layer[unit]) {
      const hue = names.soft.indexOf(layer.name) % HUES;
      soft.push({ name: layer.name, hue, ...unpacked(layer[unit], layer.relative) });
    }
  }
  const end = { text: unit === "words" ? NULL_WORD : END, begins: true, empty: true };
  if (soft.some((layer) => layer.columns > sourceLabels.length)) sourceLabels.push(end);
  if (soft.some((layer) => layer.rows > targetLabels.length)) targetLabels.push(end);
  const links = names.links
    .filter((name) => shown.has(name) && target.links?.[name] !== undefined)
    .map((name) => ({
      name,
      hue: names.links.indexOf(name),
      links: spread(parsedLinks(target.links[name]), source, target, unit),
    }));
  const gold = shown.has("gold") && target.gold !== undefined
    ? spread(parsedLinks(target.gold), source, target, unit) : null;
  return {
    source: { labels: sourceLabels, rtl: source.rtl === true },
    target: { labels: targetLabels, rtl: target.rtl === true, logProbs: unit === "pieces" ? target.logProbs : null,
      boxes: unit === "words" ? target.boxes : undefined },
    soft,
    links,
    gold,
  };
}

// What a word is linked to on the other side, by every layer that is shown.
function partnersOf(view, side, index) {
  const other = side === "source" ? "target" : "source";
  const weights = (layer) => view[other].labels.map((_, place) => {
    const [row, column] = side === "source" ? [place, index] : [index, place];
    return row < layer.rows && column < layer.columns
      ? { place, value: layer.at(row, column), share: layer.share(row, column) } : { place, value: 0, share: 0 };
  });
  const ends = (links) => links.filter((link) => link[side] === index)
    .map((link) => ({ place: link[other], sure: link.sure }));
  return {
    other,
    soft: view.soft.map((layer) => ({ name: layer.name, hue: layer.hue, weights: weights(layer) })),
    links: view.links.map((set) => ({ name: set.name, hue: set.hue, ends: ends(set.links) })),
    gold: view.gold === null ? null : ends(view.gold),
  };
}
