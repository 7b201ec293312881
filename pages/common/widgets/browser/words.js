// Underlines the first mention of each glossary word on a page with dots, and shows its definition
// under the pointer or a tap. The header's button lists the words of the page, for keys and screen
// readers. Ranges are highlighted: the page's own elements, which Streamlit draws, stay as they are.
(() => {
  const SETTLED = 300;  // ms without a change, after which a page is read
  const SKIPPED = 'code, pre, script, style, svg, button, input, textarea, select, [role=listbox], '
    + '[role=radiogroup], .js-plotly-plot, .ial-header, .katex, [hidden]';
  const words = JSON.parse(document.getElementById('ial-glossary').textContent);
  const byForm = new Map(words.flatMap(word => word.forms.map(form => [form, word])));
  const escaped = form => form.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const longest = [...byForm.keys()].sort((a, b) => b.length - a.length).map(escaped);
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}_-])(?:${longest.join('|')})(?![\\p{L}\\p{N}_-]|[.,]\\p{N})`, 'giu');
  let found = [];  // {word, range}: first mentions that can be seen
  let pointer = null;  // {x, y}: where the pointer rests or tapped; none once a note is closed by keys

  // A form with a capital letter is a name and matches as it is; others also begin sentences.
  function wordOf(text) {
    return byForm.get(text) || byForm.get(text[0].toLowerCase() + text.slice(1));
  }

  function read() {
    const page = document.querySelector('[data-testid=stMain]');
    found = [];
    const seen = new Set();
    const walker = page && document.createTreeWalker(page, NodeFilter.SHOW_TEXT);
    while (walker && walker.nextNode()) {
      const node = walker.currentNode, around = node.parentElement;
      if (!node.data.trim() || around.closest(SKIPPED) || !around.checkVisibility()) continue;
      for (const match of node.data.matchAll(pattern)) {
        const word = wordOf(match[0]);
        if (!word || seen.has(word)) continue;
        seen.add(word);
        const range = new Range();
        range.setStart(node, match.index);
        range.setEnd(node, match.index + match[0].length);
        found.push({word, range});
      }
    }
    if (window.CSS && CSS.highlights) {
      CSS.highlights.set('ial-words', new Highlight(...found.map(one => one.range)));
    }
    point();
  }

  const note = document.createElement('div');
  note.id = 'ial-word';
  note.setAttribute('role', 'tooltip');
  note.hidden = true;
  function hide() { note.hidden = true; }

  // Both stand outside of Streamlit's page, whose theme they take.
  function dress(element) {
    const page = getComputedStyle(document.querySelector('[data-testid=stApp]'));
    element.style.color = page.color;
    element.style.background = page.backgroundColor;
  }

  function at(x, y) {
    return found.find(({range}) => [...range.getClientRects()].some(
      box => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom));
  }

  // What a page draws late does not close the note of a word that is still under the pointer. A word
  // below a dialog or a menu is not the one that is pointed at.
  function point() {
    const here = pointer && at(pointer.x, pointer.y);
    const above = here && document.elementFromPoint(pointer.x, pointer.y);
    if (!above || !above.contains(here.range.startContainer)) { hide(); return; }
    note.replaceChildren(...entry(here.word));
    dress(note);
    note.hidden = false;
    const box = here.range.getBoundingClientRect();
    const left = Math.min(box.left, innerWidth - note.offsetWidth - 8);
    const below = box.bottom + 6;
    const fits = below + note.offsetHeight < innerHeight;
    note.style.left = `${Math.max(8, left)}px`;
    note.style.top = `${fits ? below : box.top - note.offsetHeight - 6}px`;
  }

  function entry(word) {
    const term = document.createElement('b'), text = document.createElement('span');
    term.textContent = word.term;
    text.textContent = ` ${word.text}`;
    return [term, text];
  }

  const dialog = document.createElement('dialog');
  dialog.id = 'ial-glossary-list';
  dialog.setAttribute('aria-labelledby', 'ial-glossary-title');

  function list() {
    read();
    const title = document.createElement('h2'), close = document.createElement('button');
    title.id = 'ial-glossary-title';
    title.textContent = 'Words on this page';
    close.type = 'button';
    close.textContent = 'Close';
    close.onclick = () => dialog.close();
    const entries = document.createElement('dl');
    const here = new Set(found.map(one => one.word));
    for (const word of words.filter(one => here.has(one))) {
      const term = document.createElement('dt'), text = document.createElement('dd');
      term.textContent = word.term;
      text.textContent = word.text;
      entries.append(term, text);
    }
    if (!here.size) title.textContent = 'No word on this page is in the glossary';
    dialog.replaceChildren(title, entries, close);
    dress(dialog);
    dialog.showModal();
  }

  let timer = 0;
  const later = () => { clearTimeout(timer); timer = setTimeout(read, SETTLED); };
  addEventListener('DOMContentLoaded', () => {
    document.body.append(note, dialog);
    new MutationObserver(later).observe(document.getElementById('root'),
      {childList: true, subtree: true, characterData: true, attributeFilter: ['open', 'hidden']});
    later();
  });
  const move = event => { pointer = {x: event.clientX, y: event.clientY}; point(); };
  const leave = () => { pointer = null; hide(); };
  addEventListener('pointermove', event => { if (event.pointerType === 'mouse') move(event); });
  addEventListener('click', move);
  addEventListener('scroll', hide, true);
  addEventListener('keydown', event => { if (event.key === 'Escape') leave(); });
  window.ialWords = {list, found: () => found.map(one => one.word.term)};
})();
