// A row for each target word, a column for each source word; several soft layers share a cell side by side.

const LEAST_SHADE = 0.008;

function drawMatrix(host, view) {
  const rows = view.target.labels.length, columns = view.source.labels.length;
  const cell = Math.max(20, Math.min(30, Math.floor(900 / Math.max(rows, columns))));
  const svg = draw("svg", { class: "matrix", role: "group", "aria-label": "matrix" });
  const label = (side, index, word) => draw("text", {
    class: word.empty ? "word empty" : "word", role: "button", tabindex: "-1", "data-side": side, "data-index": index,
  }, word.text);
  const along = view.source.labels.map((word, index) => label("source", index, word));
  const down = view.target.labels.map((word, index) => label("target", index, word));
  const sides = draw("g", {}, draw("rect", { class: "ground" }), ...down);
  const head = draw("g", {}, draw("rect", { class: "ground" }), ...along);
  const scroller = make("div", { class: "scroller" }, svg);
  svg.append(sides, head);
  host.replaceChildren(scroller);
  const lengths = along.map((text) => text.getComputedTextLength() * Math.SQRT1_2);
  const left = Math.ceil(Math.max(...down.map((text) => text.getComputedTextLength()))) + 16;
  const top = Math.ceil(Math.max(...lengths)) + 20;
  const over = Math.max(0, ...lengths.map((length, index) => length - (columns - 0.5 - index) * cell));
  const width = left + columns * cell + Math.ceil(over) + 20, height = top + rows * cell + 6;
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) svg.setAttribute(name, value);
  along.forEach((text, index) => {
    text.setAttribute("transform", `translate(${left + (index + 0.5) * cell + 3} ${top - 8}) rotate(-45)`);
  });
  down.forEach((text, index) => {
    text.setAttribute("text-anchor", "end");
    text.setAttribute("x", left - 10);
    text.setAttribute("y", top + (index + 0.5) * cell);
    text.setAttribute("dominant-baseline", "central");
  });
  const grid = draw("g", { transform: `translate(${left} ${top})` });
  grid.append(draw("rect", { class: "paper", width: columns * cell, height: rows * cell }));
  shade(grid, view, cell);
  rule(grid, rows, columns, cell);
  mark(grid, view, cell);
  grid.append(draw("rect", { class: "band across", width: columns * cell, height: cell, visibility: "hidden" }));
  grid.append(draw("rect", { class: "band down", width: cell, height: rows * cell, visibility: "hidden" }));
  const pane = draw("rect", { class: "pane", width: columns * cell, height: rows * cell });
  pane.dataset.cell = cell;
  grid.append(pane);
  svg.prepend(grid);
  freeze(scroller, head, sides, { left, top, width, height });
}

// The words stay in sight while the cells scroll.
function freeze(scroller, head, sides, { left, top, width, height }) {
  for (const [group, box] of [[head, { width, height: top }], [sides, { width: left, height }]]) {
    for (const [name, value] of Object.entries(box)) group.firstChild.setAttribute(name, value);
  }
  scroller.addEventListener("scroll", () => {
    head.setAttribute("transform", `translate(0 ${scroller.scrollTop})`);
    sides.setAttribute("transform", `translate(${scroller.scrollLeft} 0)`);
  }, { passive: true });
}

function shade(grid, view, cell) {
  const strip = cell / Math.max(1, view.soft.length);
  for (const [number, layer] of view.soft.entries()) {
    for (let row = 0; row < layer.rows; row++) {
      for (let column = 0; column < layer.columns; column++) {
        const share = layer.share(row, column);
        if (share < LEAST_SHADE) continue;
        grid.append(draw("rect", {
          class: `cell hue-${layer.hue}`, x: column * cell + number * strip, y: row * cell, width: strip, height: cell,
          "fill-opacity": share.toFixed(3),
        }));
      }
    }
  }
}

function rule(grid, rows, columns, cell) {
  const lines = [];
  for (let row = 0; row <= rows; row++) lines.push(`M0 ${row * cell}H${columns * cell}`);
  for (let column = 0; column <= columns; column++) lines.push(`M${column * cell} 0V${rows * cell}`);
  grid.append(draw("path", { class: "rules", d: lines.join("") }));
}

function mark(grid, view, cell) {
  for (const set of view.links) {
    for (const link of set.links) {
      grid.append(draw("circle", {
        class: `dot set-${set.hue % 3}`, cx: (link.source + 0.5) * cell + 4 * set.hue, cy: (link.target + 0.5) * cell, r: cell / 7,
      }));
    }
  }
  for (const link of view.gold ?? []) {
    grid.append(draw("rect", {
      class: link.sure ? "outline sure" : "outline", x: link.source * cell + 2, y: link.target * cell + 2,
      width: cell - 4, height: cell - 4, rx: 2,
    }));
  }
}

// The cell under a pointer, as a pair of words.
function cellAt(pane, event) {
  const box = pane.getBoundingClientRect(), size = Number(pane.dataset.cell);
  return { source: Math.floor((event.clientX - box.left) / size), target: Math.floor((event.clientY - box.top) / size) };
}

function band(svg, place) {
  const size = Number(svg.querySelector(".pane").dataset.cell);
  for (const [name, side, axis] of [["across", "target", "y"], ["down", "source", "x"]]) {
    const rect = svg.querySelector(`.${name}`), index = place?.[side];
    rect.setAttribute("visibility", index === undefined ? "hidden" : "visible");
    if (index !== undefined) rect.setAttribute(axis, index * size);
  }
}
