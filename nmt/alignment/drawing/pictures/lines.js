// Two sentences and a line for every link between their words: in two rows, or in two columns where they are long.

const FAINTEST = 0.04; // share of a weight that is still drawn

function drawLines(host, view) {
  const svg = draw("svg", { class: "edges", "aria-hidden": "true" });
  const sides = { source: wordRow(view, "source"), target: wordRow(view, "target") };
  const picture = make("div", { class: "lines rows" }, svg, sides.source, sides.target);
  host.replaceChildren(picture);
  const wide = () => Object.values(sides).some((side) => side.scrollWidth > picture.clientWidth + 1);
  if (wide()) picture.classList.add("tight");
  const long = wide();
  if (long) picture.className = "lines columns";
  connect(picture, svg, sides, view, long);
}

function wordRow(view, side) {
  const { labels: words, rtl, logProbs } = view[side];
  return make("div", { class: `side ${side}`, dir: rtl ? "rtl" : "ltr", role: "group", "aria-label": side },
    ...words.map((word, index) => {
      const title = logProbs ? percent(logProbs[index]) : null;
      const kind = ["word", word.begins ? "" : "inner", word.empty ? "empty" : ""].filter(Boolean).join(" ");
      return make("span", {
        class: kind, role: "button", tabindex: "-1", "data-side": side, "data-index": index, title,
      }, make("bdi", {}, word.text));
    }));
}

function connect(picture, svg, sides, view, upright) {
  const frame = picture.getBoundingClientRect();
  svg.setAttribute("width", picture.scrollWidth);
  svg.setAttribute("height", picture.scrollHeight);
  const anchors = Object.fromEntries(Object.entries(sides).map(([side, row]) => [side, [...row.children].map((word) => {
    const box = word.getBoundingClientRect();
    const middle = { x: box.left + box.width / 2 - frame.left, y: box.top + box.height / 2 - frame.top };
    if (upright) return { x: (side === "source" ? box.right + 4 : box.left - 4) - frame.left, y: middle.y };
    return { x: middle.x, y: (side === "source" ? box.bottom + 2 : box.top - 2) - frame.top };
  })]));
  const edge = (source, target, kind, width, shift = 0) => {
    const from = anchors.source[source], to = anchors.target[target];
    const at = (point) => (upright ? `${point.x},${point.y + shift}` : `${point.x + shift},${point.y}`);
    const bend = upright ? (point, other) => `${point.x + (other.x - point.x) * 0.5},${point.y + shift}`
      : (point, other) => `${point.x + shift},${point.y + (other.y - point.y) * 0.5}`;
    const path = `M${at(from)} C${bend(from, to)} ${bend(to, from)} ${at(to)}`;
    return draw("path", { d: path, class: `edge ${kind}`, "stroke-width": width, "data-source": source, "data-target": target });
  };
  for (const [number, layer] of view.soft.entries()) {
    const shift = (number - (view.soft.length - 1) / 2) * 5;
    for (const { row, column, share } of heaviestLast(layer)) {
      const line = edge(column, row, `soft hue-${layer.hue}`, (0.7 + 5.3 * share).toFixed(2), shift);
      line.style.setProperty("--share", (0.22 + 0.7 * share).toFixed(3));
      svg.append(line);
    }
  }
  for (const set of view.links) {
    for (const link of set.links) svg.append(edge(link.source, link.target, `link set-${set.hue % 3}`, 1.5, 3 * set.hue));
  }
  for (const link of view.gold ?? []) svg.append(edge(link.source, link.target, link.sure ? "gold sure" : "gold", 2));
}

function heaviestLast(layer) {
  const cells = [];
  for (let row = 0; row < layer.rows; row++) {
    for (let column = 0; column < layer.columns; column++) {
      const share = layer.share(row, column);
      if (share >= FAINTEST) cells.push({ row, column, share });
    }
  }
  return cells.sort((one, other) => one.share - other.share);
}
