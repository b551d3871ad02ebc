// The beam's tree. A branch runs straight on along its best continuation; the others leave it downwards.

const LEVEL = 30; // pixels between branches
const FATES = { k: "kept", f: "finished", p: "pruned", s: "stopped" };
const MEANINGS = {
  kept: "lived on", finished: "finished", pruned: "fell out of the beam", stopped: "in the beam when the search ended",
};

function nodesOf(tree) {
  const nodes = tree.parents.map((parent, index) => ({
    index,
    parent,
    piece: tree.letters[tree.pieces[index]],
    logProb: tree.logProbs[index],
    total: tree.totals[index],
    score: tree.scores[index],
    fate: FATES[tree.fates[index]],
    rank: null,
    children: [],
    best: Infinity, // the best rank among what comes of it
    depth: parent < 0 ? 0 : null,
  }));
  for (const node of nodes) {
    if (node.parent < 0) continue;
    nodes[node.parent].children.push(node);
    node.depth = nodes[node.parent].depth + 1;
  }
  tree.returned.forEach((index, rank) => {
    if (index !== null) nodes[index].rank = rank;
    for (let at = index ?? -1; at >= 0; at = nodes[at].parent) nodes[at].best = Math.min(nodes[at].best, rank);
  });
  return nodes;
}

const ORDER = { kept: 0, stopped: 1, finished: 2, pruned: 3 };

function bestFirst(one, other) {
  const rank = one.best === other.best ? 0 : one.best - other.best;
  return rank || ORDER[one.fate] - ORDER[other.fate] || other.total - one.total;
}

// Chains of best continuations get the highest level that is free in all of their columns, the deepest ones first.
function levels(nodes, roots) {
  const free = [];
  const put = (first) => {
    const chain = [];
    for (let node = first; node; node = node.shown[0]) chain.push(node);
    const columns = chain.map((node) => node.depth);
    const floor = first.parent < 0 ? 0 : nodes[first.parent].level + 1;
    const level = Math.max(floor, ...columns.map((column) => free[column] ?? 0));
    for (const node of chain) {
      node.level = level;
      free[node.depth] = level + 1;
    }
    for (const node of chain.reverse()) node.shown.slice(1).forEach(put);
  };
  roots.forEach(put);
}

function drawTree(host, tree, withPruned) {
  const nodes = nodesOf(tree);
  const visible = (node) => withPruned || node.fate !== "pruned";
  for (const node of nodes) node.shown = node.children.filter(visible).sort(bestFirst);
  const roots = nodes.filter((node) => node.parent < 0 && visible(node)).sort(bestFirst);
  levels(nodes, roots);
  const drawn = nodes.filter(visible);
  const svg = draw("svg", { class: "tree", role: "tree", "aria-label": "beam" });
  host.replaceChildren(make("div", { class: "scroller" }, svg));
  const texts = drawn.map((node) => {
    const text = draw("text", {}, draw("tspan", {}, node.piece === "" ? END : node.piece.replaceAll(MARKER, "\u00b7")));
    if (node.rank !== null) text.append(draw("tspan", { class: "rank", dx: 5 }, `#${node.rank + 1}`));
    text.append(draw("tspan", { class: "figure", dx: 5 }, decimal(node.fate === "finished" ? node.score : node.logProb)));
    return draw("g", {
      class: `branch ${node.fate}${node.best < Infinity ? " returned" : ""}${node.best === 0 ? " winner" : ""}`,
      role: "treeitem", tabindex: "-1", "data-node": node.index,
    }, draw("rect", { rx: 4 }), text);
  });
  svg.append(...texts);
  const widths = [];
  texts.forEach((group, place) => {
    const node = drawn[place];
    node.width = Math.ceil(group.lastChild.getComputedTextLength()) + 14;
    widths[node.depth] = Math.max(widths[node.depth] ?? 0, node.width);
  });
  const lefts = widths.map((_, depth) => 16 + widths.slice(0, depth).reduce((sum, width) => sum + width + 26, 0));
  texts.forEach((group, place) => {
    const node = drawn[place], x = lefts[node.depth], y = 22 + node.level * LEVEL;
    node.x = x;
    node.y = y;
    group.setAttribute("transform", `translate(${x} ${y})`);
    group.firstChild.setAttribute("width", node.width);
    group.firstChild.setAttribute("height", 22);
    group.firstChild.setAttribute("y", -11);
    group.lastChild.setAttribute("x", 7);
    group.lastChild.setAttribute("dominant-baseline", "central");
  });
  const stems = drawn.map((node) => stem(node, nodes[node.parent]));
  svg.prepend(...stems);
  const width = lefts.at(-1) + widths.at(-1) + 20, height = 46 + Math.max(...drawn.map((node) => node.level)) * LEVEL;
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) svg.setAttribute(name, value);
  return nodes;
}

function stem(node, parent) {
  const from = parent ? { x: parent.x + parent.width, y: parent.y } : { x: 2, y: 22 };
  const bend = Math.min(12, Math.abs(node.y - from.y) / 2), elbow = node.x - 13;
  const path = node.y === from.y ? `M${from.x} ${from.y}H${node.x}`
    : `M${from.x} ${from.y}H${elbow - 12}Q${elbow} ${from.y} ${elbow} ${from.y + bend}V${node.y - bend}Q${elbow} ${node.y} ${elbow + 12} ${node.y}H${node.x}`;
  return draw("path", {
    d: path, class: `stem ${node.fate}${node.best < Infinity ? " returned" : ""}${node.best === 0 ? " winner" : ""}`,
    "data-stem": node.index,
  });
}

function pathOf(nodes, index) {
  const path = [];
  for (let at = index; at >= 0; at = nodes[at].parent) path.unshift(nodes[at]);
  return path;
}

function textOf(path) {
  return path.map((node) => node.piece).join("").replaceAll(MARKER, " ").trim();
}
