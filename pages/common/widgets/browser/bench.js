// The workbench: a desk with the chosen sample and the one button, the ranking before and after,
// the price, and a shelf of samples. One choice links all of them, and so does the step that is
// shown. No request but for an attack.
const SHOWN = 40;  // samples on the shelf before "Show more"

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let root = parentElement.querySelector('.ial-bench');
  if (root && root.shown !== data.id) { root.player.stop(); root.remove(); root = null; }
  const held = parentElement.held
    || { number: '', label: '', place: '', ease: '', chosen: null, asked: null };
  parentElement.held = held;
  const fresh = !root;
  if (fresh) {
    if (held.content !== data.content) Object.assign(held, { number: '', label: '', ease: '' });
    held.content = data.content;
    held.chosen = data.at;
    root = bench(data, held);
    parentElement.appendChild(root);
  }
  root.data = data;
  root.ask = (index) => { held.asked = index; setTriggerValue('attack', index); };
  root.player.tell = () => {};
  root.player.listen();
  root.refresh();
  if (fresh && data.frames.length > 1 && held.asked === data.samples[data.at]) {
    held.asked = null;
    root.player.play.click();  // who asked for the attack sees the sample climb
  }
  return root.player.stop;
}

function bench(data, held) {
  const root = document.createElement('div'), words = data.bench;
  Object.assign(root, { className: 'ial-bench', shown: data.id, data });
  root.classList.toggle('still', data.frames.length < 2);
  const part = (name) => {
    const made = element(root, 'section', name);
    made.setAttribute('aria-label', words[name]);
    return made;
  };
  const desk = deskOf(part('desk'), data, held, root), stage = part('stage');
  const price = priceOf(part('price'), data);
  root.player = build(data);
  const heads = headsOf(root.player, data);
  stage.appendChild(root.player);
  desk.act.prepend(root.player.play);

  let now = null, step = 0;
  const shelf = shelfOf(part('shelf'), data, held, choose);

  function choose(s) {
    held.chosen = s;
    root.player.redraw();
    shelf.press(s);
    tell();
  }

  function tell() {
    desk.show(now, step);
    price.show(step, held.chosen, root.data.bench);
    heads.show(step);
  }

  root.refresh = () => {
    root.player.redraw();
    if (now) { shelf.fill(now); tell(); }
  };
  root.player.pick = choose;
  root.player.framed = (p, ranks) => {
    const playing = root.player.dataset.playing === 'true';
    const same = now === ranks && root.settled === !playing;
    if (same) return;
    [now, step, root.settled] = [ranks, p, !playing];
    if (!playing) shelf.fill(now);
    tell();
  };
  begin(root.player, data, ladder(data, () => held.chosen, () => root.data.k));
  return root;
}

const nameOf = (data, s) => data.bench.sample.replace('{}', data.samples[s])
  .replace('{class}', data.classes[data.labels[s]]);

const counted = (number) => number.toLocaleString('en');

// The samples that match the search, best rank first.
function shelfOf(shelf, data, held, choose) {
  const words = data.bench;
  let now = null, most = SHOWN;
  shelf.tabIndex = -1;  // the desk's link leads here
  element(shelf, 'h3', '', words.another);
  const number = field(shelf, 'input', words.number, held.number);
  Object.assign(number, { type: 'search', inputMode: 'numeric', placeholder: words.example });
  const folded = element(shelf, 'details', 'fold');
  element(folded, 'summary', '', words.filter);
  const tools = element(folded, 'div', 'tools');
  const label = field(tools, 'select', words.label, held.label,
    [['', words.every], ...data.classes.map((name, i) => [String(i), name])]);
  const place = field(tools, 'select', words.place, held.place, words.places);
  const ease = data.ease && field(tools, 'select', words.ease, held.ease, words.eases);
  folded.open = Boolean(held.label || held.place || held.ease);
  const found = element(shelf, 'div', 'found');
  found.setAttribute('aria-live', 'polite');
  const scrolled = element(shelf, 'div', 'scrolled');
  const cells = element(scrolled, 'div', 'cells');
  const more = element(scrolled, 'button', 'more', words.more);
  more.type = 'button';

  function wanted(s) {
    const rank = now[s], tenth = Math.max(data.tenth, 1);
    return (!held.number || String(data.samples[s]).startsWith(held.number.trim()))
      && (held.label === '' || data.labels[s] === Number(held.label))
      && (!data.ease || held.ease === '' || data.ease[s] === Number(held.ease))
      && (held.place === '' || (held.place === 'first' && rank <= FIRST)
        || (held.place === 'tenth' && rank <= tenth)
        || (held.place === 'last' && rank > data.n - tenth));
  }

  function fill(ranks) {
    now = ranks;
    const all = [...now.keys()].filter(wanted).sort((a, b) => now[a] - now[b]);
    const every = data.frames.length > 1 ? words.foundNow : words.found;
    found.textContent = all.length === now.length ? every
      : words.some.replace('{}', counted(all.length)).replace('{n}', counted(now.length));
    more.hidden = all.length <= most;
    const focused = cells.contains(document.activeElement) && document.activeElement.dataset.sample;
    cells.replaceChildren(...all.slice(0, most).map((s) => {
      const cell = document.createElement('button');
      cell.type = 'button';
      cell.dataset.sample = s;
      cell.title = nameOf(data, s) + ', ' + words.rank.replace('{}', counted(now[s]));
      cell.setAttribute('aria-label', cell.title);
      cell.classList.toggle('target', s === data.at);
      cell.appendChild(face(data, s, 36));
      element(cell, 'small', '', counted(now[s])).setAttribute('aria-hidden', 'true');
      cell.onclick = () => choose(s);
      return cell;
    }));
    press(held.chosen);
    if (focused) cells.querySelector(`[data-sample="${focused}"]`)?.focus();
  }

  function press(s) {
    for (const cell of cells.children) {
      cell.setAttribute('aria-pressed', Number(cell.dataset.sample) === s);
    }
  }

  number.oninput = () => { held.number = number.value; most = SHOWN; fill(now); };
  for (const [box, name] of [[label, 'label'], [place, 'place'], [ease, 'ease']]) {
    if (box) box.onchange = () => { held[name] = box.value; most = SHOWN; fill(now); };
  }
  more.onclick = () => { most += SHOWN; fill(now); };
  return { fill, press };
}

function field(parent, tag, name, value, options) {
  const box = element(parent, 'label', 'field', name), made = document.createElement(tag);
  for (const [key, text] of options || []) {
    const option = element(made, 'option', '', text);
    option.value = key;
  }
  made.value = value;
  made.setAttribute('aria-label', name);
  box.appendChild(made);
  return made;
}

// A sample's picture as a piece of the picture of all; without one, its number.
function face(data, s, size) {
  const made = document.createElement('span'), slot = data.slots ? data.slots[s] : -1;
  made.className = 'face';
  made.style.width = made.style.height = size + 'px';
  if (!data.atlas || slot < 0) {
    made.classList.add('unpictured');
    made.textContent = data.samples[s];
    return made;
  }
  const column = slot % data.columns, line = Math.floor(slot / data.columns);
  made.classList.toggle('grey', Boolean(data.grey));
  Object.assign(made.style, {
    backgroundImage: `url(${data.atlas})`,
    backgroundSize: `${data.columns * size}px auto`,
    backgroundPosition: `${-column * size}px ${-line * size}px`,
  });
  return made;
}

// The chosen sample, where it stands, and the one button: it plays the attack that is shown, or
// asks for one on this sample.
function deskOf(desk, data, held, root) {
  const words = data.bench, honest = unpackedFrames(data)[0], attacked = data.frames.length > 1;
  const head = element(desk, 'div', 'chosen');
  const act = element(desk, 'div', 'act');
  const ask = element(act, 'button', 'ask');
  ask.type = 'button';
  const why = element(desk, 'p', 'why');
  const jump = element(desk, 'button', 'jump', words.jump);
  jump.type = 'button';
  jump.onclick = () => {
    const shelf = root.querySelector('.shelf');
    shelf.scrollIntoView({ block: 'nearest' });
    shelf.focus({ preventScroll: true });
  };

  function show(now) {
    const live = root.data, s = held.chosen, here = s === live.at && attacked;
    head.replaceChildren();
    element(head, 'span', s === data.at && attacked ? 'frame target' : 'frame')
      .appendChild(face(data, s, 88));
    const said = element(head, 'p');
    element(said, 'b', '', words.chosen.replace('{}', data.samples[s]));
    element(said, 'span', '', (attacked ? words.stood : words.stands)
      .replace('{}', counted(honest[s])).replace('{now}', counted(now[s]))
      .replace('{class}', data.classes[data.labels[s]]));
    const running = live.state === 'running' && s === live.at;
    const inside = honest[s] <= live.k && live.bench.inside;
    root.player.play.hidden = !here;
    ask.hidden = here;
    ask.textContent = words.ask.replace('{}', data.samples[s]);
    const wrong = live.refused || inside || (running && words.running);
    ask.disabled = Boolean(wrong);
    ask.onclick = () => root.ask(data.samples[s]);
    why.textContent = here ? live.bench.next : wrong || live.bench.takes;
    jump.hidden = !here;
  }
  return { act, show };
}

// The price at the step that is shown in two figures, and, folded, what else is known.
function priceOf(price, data) {
  const words = data.bench, attacked = data.frames.length > 1;
  element(price, 'h3', '', attacked ? words.price : words.mayCost);
  const boxes = words.prices.map((name) => {
    const box = element(price, 'div', 'cost');
    element(box, 'span', 'of', name);
    return [element(box, 'b'), element(box, 'span', 'note')];
  });
  const folded = element(price, 'details', 'fold');
  element(folded, 'summary', '', words.else);
  const facts = element(folded, 'dl', 'facts');

  function show(step, s, live) {
    const frame = data.frames[step];
    const said = [[frame.accuracy, attacked ? frame.lost : words.ofHonest],
      [attacked ? frame.distance : live.allowed, live.moved]];
    said.forEach(([value, note], i) => {
      boxes[i][0].textContent = value;
      boxes[i][1].textContent = note;
    });
    facts.replaceChildren();
    const more = attacked ? [[words.order, frame.order], [words.kept, frame.kept]] : [];
    more.push([words.time.replace('{}', live.timeNote), live.time], [words.score, data.scores[s]]);
    if (data.ease) more.push([words.ease, words.eases[data.ease[s] + 1][1]]);
    for (const [name, value] of more) {
      element(facts, 'dt', '', name);
      element(facts, 'dd', '', value);
    }
  }
  return { show };
}

// What stands above and below the figure: its two sides and its colours.
function headsOf(player, data) {
  const words = data.bench, frames = data.frames;
  const heads = document.createElement('div');
  heads.className = 'sides';
  const before = element(heads, 'span'), after = element(heads, 'span');
  element(before, 'b', '', words.before);
  element(before, 'small', '', words.honest);
  element(after, 'b', '', words.after);
  const at = element(after, 'small');
  player.insertBefore(heads, player.wall);
  const legend = document.createElement('p');
  legend.className = 'legend';
  for (const [kind, text] of words.legend) element(legend, 'span', kind, text);
  player.insertBefore(legend, player.curve);
  const ends = document.createElement('p');
  ends.className = 'ends';
  for (const text of words.ends) element(ends, 'span', '', text);
  player.range.parentElement.after(ends);
  return { show: (step) => {
    at.textContent = frames.length < 2 ? words.unknown
      : step ? words.step.replace('{}', frames[step].short) : words.notYet;
  } };
}
