// A picture and the words of its target: a word lights up the cells that it looks at, a cell the words that look at it.

const DIMMED = 0.74; // opacity of the shade over a cell that nothing looks at

function drawGrid(host, view, { image, shape: [rows, columns] }) {
  const shades = draw("g", { class: "shades", filter: "url(#soft-shades)", visibility: "hidden" });
  const places = draw("g", {});
  for (let index = 0; index < rows * columns; index++) {
    const row = Math.floor(index / columns), column = index % columns;
    // Those at the edge reach beyond it, so that blurring leaves it dark.
    const left = column ? column : -1, top = row ? row : -1;
    const right = column + 1 < columns ? column + 1 : columns + 1, bottom = row + 1 < rows ? row + 1 : rows + 1;
    shades.append(draw("rect", { x: left, y: top, width: right - left, height: bottom - top, "fill-opacity": DIMMED }));
    const label = view.source.labels[index].text;
    places.append(draw("rect", {
      class: "place", x: column, y: row, width: 1, height: 1, role: "button", tabindex: "-1", "aria-label": label,
      "data-side": "source", "data-index": index,
    }));
  }
  const svg = draw("svg", { class: "grid", viewBox: `0 0 ${columns} ${rows}`, role: "group", "aria-label": "source" },
    draw("filter", { id: "soft-shades", x: 0, y: 0, width: 1, height: 1, "color-interpolation-filters": "sRGB" },
      draw("feGaussianBlur", { stdDeviation: 0.32 })),
    draw("image", { href: image, width: columns, height: rows, preserveAspectRatio: "none" }),
    shades, draw("g", { class: "boxes" }), places);
  host.replaceChildren(make("div", { class: "over" }, svg, wordRow(view, "target")));
}

function light(svg, focus, { soft: [layer], target }) {
  const shades = svg.querySelector(".shades"), word = focus?.side === "target" ? focus.index : -1;
  const looks = layer !== undefined && word >= 0 && word < layer.rows;
  shades.setAttribute("visibility", looks ? "visible" : "hidden");
  svg.querySelector(".boxes").replaceChildren(...(target.boxes?.[word] ?? []).map((box) => outlined(svg, box)));
  if (!looks) return;
  const shares = [...shades.children].map((_, index) => layer.share(word, index));
  const peak = Math.max(...shares, 1e-9);
  // What a sentinel keeps for itself leaves the whole picture darker.
  const total = layer.relative ? 1 : Math.min(1, shares.reduce((sum, share) => sum + share, 0));
  [...shades.children].forEach((shade, index) => {
    shade.setAttribute("fill-opacity", (DIMMED * (1 - (shares[index] / peak) * total)).toFixed(3));
  });
}

function outlined(svg, [left, top, right, bottom]) {
  const { width, height } = svg.viewBox.baseVal;
  return draw("rect", { x: left * width, y: top * height, width: (right - left) * width, height: (bottom - top) * height });
}
