// The n-best list, with what sets a translation apart from the best one.

function showHypotheses(current) {
  if (current.targets.length < 2) return;
  const best = current.targets[0].words;
  byId("hypotheses").replaceChildren(make("h3", {}, `${current.targets.length} best`), make("ol", {},
    ...current.targets.map((target, rank) => {
      const different = rank ? differing(target.words, best) : new Set();
      const words = target.words.flatMap((word, index) => [different.has(index) ? make("mark", {}, word) : word, " "]);
      const figures = ["score", "confidence"].filter((name) => name in target.measures)
        .map((name) => make("span", { class: "figure", title: name }, decimal(target.measures[name])));
      return make("li", {}, make("button", {
        type: "button", "data-rank": rank, "aria-pressed": rank === state.rank ? "true" : "false",
      }, make("span", { class: "rank" }, `${rank + 1}`), make("span", { class: "text", dir: target.rtl ? "rtl" : "ltr" }, ...words), ...figures));
    })));
}

function chooseRank(rank) {
  const { targets } = entry();
  state.rank = (rank + targets.length) % targets.length;
  state.focus = null;
  show();
}

// Words of a sentence that have no place in another: what is left after their longest common subsequence.
function differing(words, others) {
  const lengths = Array.from({ length: words.length + 1 }, () => new Uint16Array(others.length + 1));
  for (let i = words.length - 1; i >= 0; i--) {
    for (let j = others.length - 1; j >= 0; j--) {
      lengths[i][j] = words[i] === others[j]
        ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const result = new Set(words.keys());
  for (let i = 0, j = 0; i < words.length && j < others.length;) {
    if (words[i] === others[j]) {
      result.delete(i++);
      j++;
    } else if (lengths[i + 1][j] >= lengths[i][j + 1]) i++;
    else j++;
  }
  return result;
}

picked("hypotheses", ({ rank }) => chooseRank(Number(rank)));
