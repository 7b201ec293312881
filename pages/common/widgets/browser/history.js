// Back and Forward lead from view to view. When a reader goes to another page, Streamlit first makes
// an entry for the old page with what the new one keeps of its address, and, once the new page has
// settled, a second entry for that: Back would show the old page as it opens, not as it was left.
// Entries of the first kind are passed over, those of the second take the place of the one before.
(() => {
  const push = history.pushState.bind(history), replace = history.replaceState.bind(history);
  const marked = (state, more) => ({ ...state, ...more });
  let place = history.state?.ialPlace ?? 0;  // of the entry that is shown, counted from the first
  let between = false;  // it was made since, for the page that is shown
  let settles = false;  // the reader has done nothing since its page was opened
  const pathOf = (url) => new URL(url ?? location.href, location.href).pathname;
  const queryOf = (url) => new URL(url ?? location.href, location.href).search;

  for (const kind of ['pointerdown', 'keydown']) {
    addEventListener(kind, () => { between = settles = false; }, true);
  }
  history.replaceState = (state, title, url) => {
    replace(marked(state, { ialPlace: place, ialPassed: history.state?.ialPassed }), title, url);
  };
  history.pushState = (state, title, url) => {
    const same = pathOf(url) === location.pathname;
    if (same && settles && queryOf(url)) {
      history.replaceState(state, title, url);
      return;
    }
    if (!same && between) replace(marked(history.state, { ialPassed: true }), '', location.href);
    between = same;
    settles = !same;
    place += 1;
    push(marked(state, { ialPlace: place }), title, url);
  };
  replace(marked(history.state, { ialPlace: place }), '', location.href);
  // Before Streamlit hears of it: this listener is the first.
  addEventListener('popstate', (event) => {
    const now = event.state?.ialPlace ?? 0, step = now < place ? -1 : 1;
    place = now;
    between = settles = false;
    if (!event.state?.ialPassed) return;
    event.stopImmediatePropagation();
    history.go(step);
  }, true);
})();
