// The sentences as they stand in the page.

function readEntries() {
  const entries = [];
  for (const script of document.querySelectorAll("script.entries")) {
    const chunk = JSON.parse(script.textContent);
    for (const entry of chunk.entries) {
      entry.line = entry.number - chunk.begin + 1;
      entry.name = chunk.file ? `${chunk.file}:${entry.line}` : String(entry.line);
      entry.position = entries.length;
      entries.push(entry);
    }
    script.remove();
  }
  return entries;
}
