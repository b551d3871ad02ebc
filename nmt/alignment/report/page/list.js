// A list of which only the rows in sight are elements, so that thousands of sentences cost no more than twenty.

const ROW = 70; // pixels; see page.css
const AROUND = 6; // rows kept beyond the edges

class SentenceList {
  constructor(host, choose) {
    this.host = host;
    this.space = make("div", { class: "space" });
    this.choose = choose;
    this.entries = [];
    this.place = -1;
    host.append(this.space);
    host.addEventListener("scroll", () => this.render(), { passive: true });
    new ResizeObserver(() => this.render()).observe(host);
    host.addEventListener("click", (event) => {
      const row = event.target.closest("[data-place]");
      if (row) this.choose(Number(row.dataset.place));
    });
  }

  show(entries, measure) {
    this.entries = entries;
    this.measure = measure;
    this.space.style.height = `${entries.length * ROW}px`;
    this.render();
  }

  select(place) {
    this.place = place;
    const top = place * ROW, bottom = top + ROW;
    const { scrollTop, clientHeight } = this.host;
    if (place >= 0 && top < scrollTop) this.host.scrollTop = top;
    else if (place >= 0 && bottom > scrollTop + clientHeight) this.host.scrollTop = bottom - clientHeight;
    this.render();
  }

  get page() {
    return Math.max(1, Math.floor(this.host.clientHeight / ROW) - 1);
  }

  render() {
    const first = Math.max(0, Math.floor(this.host.scrollTop / ROW) - AROUND);
    const last = Math.min(this.entries.length, Math.ceil((this.host.scrollTop + this.host.clientHeight) / ROW) + AROUND);
    const rows = [];
    for (let place = first; place < last; place++) rows.push(this.row(place));
    this.space.replaceChildren(...rows);
    if (this.place >= first && this.place < last) this.host.setAttribute("aria-activedescendant", `row-${this.place}`);
    else this.host.removeAttribute("aria-activedescendant");
  }

  row(place) {
    const entry = this.entries[place], target = entry.targets[0];
    const line = (text, kind) => make("div", { class: kind, dir: text.rtl ? "rtl" : "ltr" }, titleOf(text));
    const value = this.measure === FILE_ORDER ? "" : decimal(valueOf(entry, this.measure));
    const row = make("div", {
      id: `row-${place}`,
      class: entry.picture ? "row pictured" : "row",
      role: "option",
      "data-place": place,
      "aria-selected": place === this.place ? "true" : "false",
      "aria-posinset": place + 1,
      "aria-setsize": this.entries.length,
    }, make("div", { class: "about" },
      make("span", {}, entry.name), make("span", { class: "marks" }, entry.tree ? "beam" : ""), make("span", {}, value)),
    line(entry.source, "source"), line(target, "target"));
    if (entry.picture) row.prepend(make("img", { src: entry.picture.image, alt: "" }));
    row.style.transform = `translateY(${place * ROW}px)`;
    return row;
  }
}
