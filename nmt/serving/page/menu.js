// The menu of a word of the translation: what else the search had there.

let menu = null; // the open one: its sentence, word, what stands before it, and what stops its question

function openMenu(place, index) {
  closeMenu();
  const sentence = state.sentences[place], { text, words } = translationOf(sentence);
  if (!words[index] || isOpen(sentence)) return; // the words belong to another question
  const before = text.slice(0, words[index].begin), now = text.slice(words[index].begin, words[index].end);
  menu = { place, index, before, now, stop: new AbortController() };
  const own = menu, candidates = candidatesAt(sentence.record, sentence.rank, index);
  byId("menu").setAttribute("aria-label", `In place of ${now}`);
  wordOf("translation", place, index)?.setAttribute("aria-expanded", "true");
  byId("menu").hidden = false;
  fillMenu(candidates);
  byId("menu").querySelector('[aria-checked="true"], button')?.focus();
  completed(sentence, before, index, candidates, own.stop.signal).then((all) => {
    if (menu === own) fillMenu(all);
  }, () => {}); // without them, words stay as the search left them
}

function fillMenu(candidates) {
  const host = byId("menu"), focused = host.contains(document.activeElement) ? document.activeElement.dataset.word : undefined;
  const items = candidates.map((candidate) => {
    const current = candidate.word === menu.now;
    const chance = Math.exp(candidate.logProb);
    const item = make("button", {
      type: "button", role: "menuitemradio", tabindex: "-1", "aria-checked": current ? "true" : "false", "data-word": candidate.word,
    }, make("span", { class: "candidate", dir: "auto" }, make("b", {}, candidate.word, candidate.open ? "…" : ""),
      candidate.follows && make("span", { class: "follows" }, ` ${candidate.follows}`)),
    make("span", { class: "chance", "aria-hidden": "true" }, make("i", {})), make("span", { class: "figure" }, chanceText(chance)));
    item.querySelector("i").style.setProperty("--chance", chance.toFixed(3));
    item.addEventListener("click", () => take(candidate));
    return item;
  });
  const other = make("button", { type: "button", role: "menuitem", tabindex: "-1", class: "other", "data-word": "" }, "Write something else …");
  other.addEventListener("click", () => {
    const { place, before } = menu;
    closeMenu(false);
    write(place, before.length);
  });
  host.replaceChildren(...items, other);
  putMenu();
  if (focused !== undefined) (host.querySelector(`[data-word="${CSS.escape(focused)}"]`) ?? host.firstChild).focus();
}

function chanceText(chance) {
  return chance >= 0.01 ? `${Math.round(100 * chance)} %` : "< 1 %";
}

function putMenu() {
  const host = byId("menu"), word = wordOf("translation", menu.place, menu.index);
  if (!word) return;
  const box = word.getClientRects()[0], { clientWidth, clientHeight } = document.documentElement;
  const rtl = getComputedStyle(word).direction === "rtl", left = rtl ? box.right - host.offsetWidth : box.left - 14;
  const below = box.bottom + 6 + host.offsetHeight <= clientHeight || box.top < clientHeight / 2;
  host.style.setProperty("left", `${Math.max(8, Math.min(left, clientWidth - host.offsetWidth - 8))}px`);
  host.style.setProperty("top", `${below ? box.bottom + 6 : Math.max(8, box.top - 6 - host.offsetHeight)}px`);
}

function closeMenu(refocus = true) {
  if (!menu) return;
  const { place, index, stop } = menu, word = wordOf("translation", place, index);
  stop.abort();
  menu = null;
  const focused = byId("menu").contains(document.activeElement);
  byId("menu").hidden = true;
  word?.removeAttribute("aria-expanded");
  if (refocus && focused) word?.focus();
}

// Takes a candidate: the rest is translated anew, unless the candidate ends a translation that is there.
function take(candidate) {
  const { place, before, now } = menu, sentence = state.sentences[place];
  closeMenu();
  if (candidate.word === now) return;
  sentence.history.push(snapshot(sentence));
  if (candidate.rank !== undefined && !candidate.whole) sentence.rank = candidate.rank;
  else {
    sentence.prefix = before + candidate.word + (candidate.whole ? " " : "");
    schedule(0);
  }
  drawSentence(place);
  show();
}

const MENU_KEYS = { ArrowDown: 1, ArrowUp: -1 };

byId("menu").addEventListener("keydown", (event) => {
  const items = [...byId("menu").children], at = items.indexOf(document.activeElement);
  let next = null;
  if (event.key in MENU_KEYS) next = items[(at + MENU_KEYS[event.key] + items.length) % items.length];
  else if (event.key === "Home") [next] = items;
  else if (event.key === "End") next = items.at(-1);
  else if (event.key === "Escape" || event.key === "Tab") closeMenu();
  else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey) {
    const rest = [...items.slice(at + 1), ...items.slice(0, at + 1)];
    next = rest.find((item) => folded(item.dataset.word).startsWith(folded(event.key)));
  } else return;
  event.preventDefault();
  event.stopPropagation();
  next?.focus();
});
addEventListener("pointerdown", (event) => {
  if (menu && !byId("menu").contains(event.target)) closeMenu(false);
});
addEventListener("resize", () => menu && putMenu());
addEventListener("scroll", () => menu && putMenu(), { passive: true, capture: true });
