// Which sentences are listed, and in which order.

const FILE_ORDER = "line";

function termsOf(query) {
  return [...query.matchAll(/"([^"]+)"|(\S+)/g)].map((match) => folded(match[1] ?? match[2]));
}

function searchText(entry) {
  entry.searched ??= folded([entry.source, ...entry.targets].map(titleOf).join("\n"));
  return entry.searched;
}

function valueOf(entry, measure) {
  if (measure === FILE_ORDER) return entry.line;
  return entry.targets[0].measures[measure] ?? null;
}

// Entries without a value are left out by a bound, and stand last in every order.
function selected(entries, { query, measure, least, most, reverse }) {
  const terms = termsOf(query);
  const found = entries.filter((entry) => {
    if (least !== null || most !== null) {
      const value = valueOf(entry, measure);
      if (value === null || (least !== null && value < least) || (most !== null && value > most)) return false;
    }
    return terms.every((term) => searchText(entry).includes(term));
  });
  const sign = reverse ? -1 : 1;
  if (measure === FILE_ORDER) return reverse ? found.reverse() : found;
  return found.sort((one, other) => {
    const a = valueOf(one, measure), b = valueOf(other, measure);
    if (a === null || b === null) return (a === null) - (b === null) || one.position - other.position;
    return sign * (a - b) || one.position - other.position;
  });
}
